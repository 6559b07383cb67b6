//! A real Cassandra as the store: not a connection or byte is lost or counted twice, whoever is killed, and the graph is what the embedded
//! store gives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use insight_tests::cassandra::{Ring, shared};
use insight_tests::fake_agent::{FakeAgent, Talk, container_node, now_ms};
use insight_tests::load::client::Plan;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, Reader};
use insight_tests::traffic::{at, finish_client, serve, start_client};
use insight_tests::wait::{PATIENCE, eventually, pause};
use insight_tests::world::Pods;

const PORT: u16 = 7001;
const KILLS: u64 = 5;

/// Batches on their way at the same time, as many as an agent has.
const BURST: u64 = 4;

#[test]
fn counts_are_exact_over_kills_of_the_aggregator_and_of_cassandra() -> Result<()> {
    // One node alone keeps what it has taken over a kill only if it writes it to disk first.
    let mut ring = Ring::start_with(1, "commitlog_sync: batch\n")?;
    let mut round = 0;
    Pods::exact("counts are exact over kills", |pods| {
        round += 1;
        over_kills(pods, &mut ring, round)
    })
}

fn over_kills(pods: &Pods, ring: &mut Ring, round: u32) -> Result<()> {
    let store = format!("{}&cluster=round-{round}", ring.store()?);
    let _serving = serve(&pods.server, PORT)?;
    let mut aggregator = Aggregator::start_over(&store)?;
    let reader = aggregator.reader()?;
    let _agent = Agent::start(&aggregator, "exact", &pods.root)?;
    let mut plan = Plan::new(at(pods.server.addresses.v4, PORT), 3_000, 300, 1_500);
    plan.rate = 200.0;
    let running = start_client(&pods.client, &plan)?;
    for kill in 1..=KILLS {
        let url = aggregator.grpc_url();
        let over = AtomicBool::new(false);
        let acked = thread::scope(|scope| {
            let pump = scope.spawn(|| pump(&url, &over));
            // Some batches between them, and some in the middle of being written.
            pause(Duration::from_millis(300 + 170 * kill));
            if kill % 2 == 0 {
                ring.kill(0);
                pause(Duration::from_millis(500));
                ring.restart(0)?;
                pause(Duration::from_secs(1));
            }
            aggregator.daemon.kill()?;
            over.store(true, Ordering::Relaxed);
            pump.join().map_err(|_| anyhow!("the pump panicked"))?
        })?;
        aggregator.restart()?;
        let durable = FakeAgent::connect(&aggregator.grpc_url(), "pump", 1)?.acked;
        eprintln!("kill {kill}: {acked} acknowledged, {durable} durable");
        ensure!(
            (acked..=acked + BURST).contains(&durable),
            "{durable} batches are durable, {acked} were acknowledged"
        );
        expect_batches(&reader, durable)?;
    }
    let mut last = FakeAgent::connect(&aggregator.grpc_url(), "pump", 1)?;
    burst(&mut last)?;
    ensure!(last.acked > KILLS, "the pump did not run");
    expect_batches(&reader, last.acked)?;
    let tally = finish_client(running)?;
    assert_eq!(tally.connections, plan.connections);
    pods.expect(&reader, PORT, &Counts::finished(&tally))
}

#[test]
fn the_graph_is_the_embedded_stores() -> Result<()> {
    let ours = Aggregator::start_over(&shared()?)?;
    let theirs = Aggregator::start()?;
    // Beyond what memory answers for, and within; all of them over, so that no answer ends at the time of its question.
    let ends = [
        now_ms() - 40 * 60_000,
        now_ms() - 25 * 60_000,
        now_ms() - 180_000,
    ];
    for aggregator in [&ours, &theirs] {
        let mut agent = FakeAgent::connect(&aggregator.grpc_url(), "history", 1)?;
        for (number, end) in (1..).zip(ends) {
            let talks: Vec<Talk> = (1..40)
                .map(|client| talk(client, 50 + client % 7, number))
                .collect();
            let batch = agent.next_batch(&talks, (end - 500, end));
            agent.send(batch)?;
        }
        agent.wait_acked()?;
    }
    let readers = [ours.reader()?, theirs.reader()?];
    for end in ends {
        for level in ["container", "workload", "node"] {
            let query = format!("level={level}&from={}&to={}", end - 60_000, end);
            let [ours, theirs] = [&readers[0], &readers[1]].map(|reader| reader.graph(&query));
            let (ours, theirs) = (ours?, theirs?);
            let edges = theirs["edges"].as_array().context("no edges")?;
            ensure!(
                level == "node" || edges.len() >= 39,
                "{} edges",
                edges.len()
            );
            assert_eq!(ours, theirs, "{query}");
        }
    }
    Ok(())
}

#[test]
fn nothing_is_lost_while_one_of_three_nodes_is_away() -> Result<()> {
    let mut ring = Ring::start(3)?;
    let mut aggregator = Aggregator::start_over(&ring.store()?)?;
    let reader = aggregator.reader()?;
    let url = aggregator.grpc_url();
    let over = AtomicBool::new(false);
    let acked = thread::scope(|scope| {
        let pump = scope.spawn(|| pump(&url, &over));
        let away = || {
            pause(Duration::from_secs(1));
            for node in [1, 2] {
                ring.kill(node);
                pause(Duration::from_secs(2));
                ring.restart(node)?;
                pause(Duration::from_secs(2));
            }
            anyhow::Ok(())
        };
        let done = { away }();
        over.store(true, Ordering::Relaxed);
        let acked = pump.join().map_err(|_| anyhow!("the pump panicked"))??;
        done.map(|()| acked)
    })?;
    ensure!(acked > 2 * BURST, "only {acked} batches");
    expect_batches(&reader, acked)?;
    // And what is kept is that, not only what memory has; with the first node away, too.
    aggregator.daemon.kill()?;
    ring.kill(0);
    aggregator.restart()?;
    assert_eq!(
        FakeAgent::connect(&aggregator.grpc_url(), "pump", 1)?.acked,
        acked
    );
    eventually(PATIENCE, "the same counts", || {
        expect_batches(&reader, acked)
    })
}

/// Sends batches as fast as they are acknowledged, until it is over or the aggregator gone. Answers how many were acknowledged.
fn pump(url: &str, over: &AtomicBool) -> Result<u64> {
    let mut agent = FakeAgent::connect(url, "pump", 1)?;
    while !over.load(Ordering::Relaxed) && burst(&mut agent).is_ok() {}
    Ok(agent.acked)
}

/// The next batches, all at once. What is in a batch follows from its sequence.
fn burst(agent: &mut FakeAgent) -> Result<()> {
    let first = agent.acked + 1;
    for sequence in first..first + BURST {
        let now = now_ms();
        let batch = agent.next_batch(&[talk(1, 2, sequence)], (now - 10, now));
        ensure!(
            batch.sequence == sequence,
            "{} comes after {sequence}",
            batch.sequence
        );
        agent.send(batch)?;
    }
    agent.wait_acked()
}

fn talk(client: u16, server: u16, number: u64) -> Talk {
    Talk {
        client,
        server,
        port: 80,
        connections: 1,
        sent: 1_000 + number,
        received: number,
    }
}

/// The graph must have the first so many batches, each once, and no part of another.
fn expect_batches(reader: &Reader, batches: u64) -> Result<()> {
    let triangle = batches * (batches + 1) / 2;
    let edge = reader.edge("container", &container_node(1), &container_node(2), 80)?;
    let expected = Counts {
        opened: batches,
        closed: batches,
        bytes_sent: 1_000 * batches + triangle,
        bytes_received: triangle,
        ..Counts::default()
    };
    edge.expect_both(&expected)
        .with_context(|| format!("after {batches} batches"))
}
