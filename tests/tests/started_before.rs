//! What is older than the agent: servers, and connections. Their bytes count from the agent's start on.

use anyhow::Result;
use insight_tests::load::client::Plan;
use insight_tests::needs_root;
use insight_tests::reader::Counts;
use insight_tests::traffic::{Held, at, run_client, serve, serve_in};
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;

#[test]
fn old_connections_count_from_now_on() -> Result<()> {
    needs_root!("old connections count from now on");
    let pods = Pods::new()?;
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
    product.expect(&pods, PORT, &expected)?;

    plain.exchange(10_007, 55)?;
    shared.exchange(16, 70_003)?;
    let moved = |expected: &mut Counts, plain: &Held, shared: &Held| {
        let now = plain.tally + shared.tally;
        expected.bytes_sent = now.bytes_sent - before.bytes_sent;
        expected.bytes_received = now.bytes_received - before.bytes_received;
    };
    moved(&mut expected, &plain, &shared);
    product.expect(&pods, PORT, &expected)?;

    // What moves and closes between two readings is exact too.
    shared.exchange(333, 444)?;
    moved(&mut expected, &plain, &shared);
    shared.close()?;
    expected.active = 3;
    expected.closed = 2;
    product.expect(&pods, PORT, &expected)?;

    // The old server's new connections are like any other.
    let new = run_client(&pods.client, &Plan::new(to, 9, 1_111, 2_222))?;
    plain.exchange(16, 1)?;
    expected.opened += new.connections;
    expected.closed += new.connections;
    expected.bytes_sent += new.bytes_sent + 3 * 16;
    expected.bytes_received += new.bytes_received + 3;
    product.expect(&pods, PORT, &expected)?;

    plain.close()?;
    expected.active = 0;
    expected.closed += 3;
    product.expect(&pods, PORT, &expected)
}

#[test]
fn an_old_server_has_its_role() -> Result<()> {
    needs_root!("an old server has its role");
    let pods = Pods::new()?;
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
        product.expect(&pods, port, &Counts::open(&held.tally))?;
        let truth = held.close()?;
        product.expect(&pods, port, &Counts::finished(&truth))?;
    }
    drop(serving);
    Ok(())
}
