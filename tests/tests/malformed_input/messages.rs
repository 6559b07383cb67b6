//! What agents may not say, and what is no message at all.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use insight_proto::v1::{Batch, FlowColumns, ReportRequest};
use insight_tests::fake_agent::{FakeAgent, batch_message, hello, hello_message, now_ms, refusal};
use insight_tests::product::Aggregator;
use serde_json::Value;

use crate::stored::{Stored, talk};

#[test]
fn bad_messages_are_refused_and_change_nothing() -> Result<()> {
    let aggregator = Aggregator::start()?;
    let (reader, url) = (aggregator.reader()?, aggregator.grpc_url());
    let stored = Stored::put(&aggregator, &reader)?;
    let mut greeting = hello("garbage", 1);
    greeting.protocol_version = 4_711;
    let status = refusal(&url, vec![hello_message(greeting)])?;
    expect_status(
        &status,
        tonic::Code::FailedPrecondition,
        &["4711", "same release"],
    )?;

    let status = refusal(&url, vec![hello_message(hello("a/b", 1))])?;
    expect_status(&status, tonic::Code::InvalidArgument, &["node"])?;
    let batch = good_batch(&url)?;
    for (message, parts) in [
        (batch_message(batch.clone()), &["hello"] as &[&str]),
        (ReportRequest { message: None }, &["hello"]),
    ] {
        let status = refusal(&url, vec![message])?;
        expect_status(&status, tonic::Code::InvalidArgument, parts)?;
    }

    type Damage = fn(&mut Batch);
    let damages: [(&str, Damage); 8] = [
        ("batch", |batch| {
            columns(batch).bytes_sent.pop();
        }),
        ("batch", |batch| columns(batch).local[0] = 1_000),
        ("batch", |batch| columns(batch).port[0] = 70_000),
        ("batch", |batch| columns(batch).role[0] = 99),
        ("batch", |batch| columns(batch).protocol[0] = 99),
        ("batch", |batch| {
            columns(batch).endpoints[0].address = vec![1, 2, 3];
        }),
        ("batch", |batch| batch.from_unix_ms = batch.to_unix_ms + 1),
        ("node", |batch| batch.node = "another".to_owned()),
    ];
    for (number, (word, damage)) in damages.into_iter().enumerate() {
        let mut bad = batch.clone();
        damage(&mut bad);
        let messages = vec![hello_message(hello("garbage", 1)), batch_message(bad)];
        let status = refusal(&url, messages)?;
        expect_status(&status, tonic::Code::InvalidArgument, &[word])
            .with_context(|| format!("damage {number}"))?;
    }
    // A sequence that skips one, after a batch that is durable already: the first of a stream may skip.
    let mut known = batch;
    known.node = "stored".to_owned();
    known.sequence = 1;
    let mut early = known.clone();
    early.sequence = 3;
    let messages = vec![
        hello_message(hello("stored", 1)),
        batch_message(known),
        batch_message(early),
    ];
    let status = refusal(&url, messages)?;
    expect_status(
        &status,
        tonic::Code::InvalidArgument,
        &["too early", "2 is next"],
    )?;

    noise(aggregator.grpc_port)?;
    noise(aggregator.http_port)?;
    stored.expect_unchanged(&reader)?;
    let graph = reader.graph("level=container")?;
    assert_eq!(
        graph["edges"],
        Value::Array(Vec::new()),
        "garbage is on the graph"
    );
    // And it still serves.
    stored.add_one(&aggregator, &reader)
}

fn columns(batch: &mut Batch) -> &mut FlowColumns {
    batch.flows.get_or_insert_default()
}

/// The batch that a good agent would send first; it is not sent.
fn good_batch(url: &str) -> Result<Batch> {
    let mut agent = FakeAgent::connect(url, "garbage", 1)?;
    let now = now_ms();
    Ok(agent.next_batch(&[talk(1)], (now - 500, now)))
}

fn expect_status(status: &tonic::Status, code: tonic::Code, parts: &[&str]) -> Result<()> {
    ensure!(status.code() == code, "expected {code:?}: {status:?}");
    for part in parts {
        ensure!(status.message().contains(part), "no {part:?}: {status:?}");
    }
    Ok(())
}

/// Bytes that are no protocol at all, and half a protocol. The connection must end, not hang.
fn noise(port: u16) -> Result<()> {
    let random: Vec<u8> = (0..64_u32 * 1024)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    for bytes in [random.clone(), [preface, &random].concat()] {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // It may be refused before all is written.
        let _ = stream.write_all(&bytes);
        match stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error).context("the connection did not end"),
        }
    }
    Ok(())
}
