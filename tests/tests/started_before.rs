//! What is older than the agent: servers, and connections. Their bytes count from the agent's start on.

use anyhow::Result;
use insight_tests::load::client::Plan;
use insight_tests::load::tally::Tally;
use insight_tests::reader::Counts;
use insight_tests::traffic::{Held, at, run_client, serve, serve_in};
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;

#[test]
fn old_connections_count_from_now_on() -> Result<()> {
    Pods::exact("old connections count from now on", |pods| {
        let _serving = serve(&pods.server, PORT)?;
        let to = at(pods.server.addresses.v4, PORT);
        let mut plain = Held::open(&pods.client, to, 3, 0)?;
        let mut shared = Held::open(&pods.client, to, 2, 2)?;
        plain.exchange(100_000, 300_000)?;
        shared.exchange(1_000, 2_000)?;
        let before = plain.tally + shared.tally;

        let product = Product::watch(&pods.root, "300ms")?;
        // On the graph at once, with their owners and roles; nothing is known to have moved.
        let mut expected = Counts {
            active: 5,
            ..Counts::default()
        };
        product.expect(pods, PORT, &expected)?;

        plain.exchange(10_007, 55)?;
        shared.exchange(16, 70_003)?;
        count_from(&mut expected, &before, &(plain.tally + shared.tally));
        product.expect(pods, PORT, &expected)?;

        // What moves and closes between two readings is exact too.
        shared.exchange(333, 444)?;
        count_from(&mut expected, &before, &(plain.tally + shared.tally));
        shared.close()?;
        expected.active = 3;
        expected.closed = 2;
        product.expect(pods, PORT, &expected)?;

        // The old server's new connections are like any other.
        let new = run_client(&pods.client, &Plan::new(to, 9, 1_111, 2_222))?;
        plain.exchange(16, 1)?;
        expected.opened += new.connections;
        expected.closed += new.connections;
        expected.bytes_sent += new.bytes_sent + 3 * 16;
        expected.bytes_received += new.bytes_received + 3;
        product.expect(pods, PORT, &expected)?;

        plain.close()?;
        expected.active = 0;
        expected.closed += 3;
        product.expect(pods, PORT, &expected)
    })
}

/// More of them than the kernel's buffer for an iterator holds: 32 KiB, some 340 records. Each time that it is full the program meets
/// the connection that found no room a second time.
#[test]
fn thousands_of_old_connections_count_from_now_on() -> Result<()> {
    Pods::exact("thousands of old connections count from now on", |pods| {
        let _serving = serve(&pods.server, PORT)?;
        let to = at(pods.server.addresses.v4, PORT);
        let mut held = Held::open(&pods.client, to, 3_000, 0)?;
        held.exchange(1_009, 2_003)?;
        let before = held.tally;

        let product = Product::watch(&pods.root, "500ms")?;
        let mut expected = Counts {
            active: before.connections,
            ..Counts::default()
        };
        product.expect(pods, PORT, &expected)?;
        for (send, receive) in [(16, 0), (307, 5_003)] {
            held.exchange(send, receive)?;
            count_from(&mut expected, &before, &held.tally);
            product.expect(pods, PORT, &expected)?;
        }
        held.close()?;
        expected.active = 0;
        expected.closed = before.connections;
        product.expect(pods, PORT, &expected)
    })
}

/// Sets the bytes that were moved since the counting began.
fn count_from(expected: &mut Counts, before: &Tally, now: &Tally) {
    expected.bytes_sent = now.bytes_sent - before.bytes_sent;
    expected.bytes_received = now.bytes_received - before.bytes_received;
}

#[test]
fn an_old_server_has_its_role() -> Result<()> {
    Pods::exact("an old server has its role", |pods| {
        // The shortest accept queue leaves no trace in accepted sockets that they are a server's.
        let serving = [
            serve_in(
                &pods.server,
                &pods.server.container,
                PORT,
                &["--backlog", "0"],
            )?,
            serve(&pods.server, PORT + 1)?,
        ];
        let product = Product::watch(&pods.root, "300ms")?;
        for port in [PORT, PORT + 1] {
            let to = at(pods.server.addresses.v6, port);
            let mut held = Held::open(&pods.client, to, 1, 0)?;
            held.exchange(500, 600)?;
            product.expect(pods, port, &Counts::open(&held.tally))?;
            let truth = held.close()?;
            product.expect(pods, port, &Counts::finished(&truth))?;
        }
        drop(serving);
        Ok(())
    })
}
