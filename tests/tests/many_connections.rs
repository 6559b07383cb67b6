//! Many connections at once, one after the other, or to many ports, are counted as exactly as few.

use std::num::NonZeroUsize;

use anyhow::{Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::load::tally::Tally;
use insight_tests::net::black_hole;
use insight_tests::process::Process;
use insight_tests::reader::{Counts, edge};
use insight_tests::traffic::{Held, at, fail, run_client, scan, serve, serve_in};
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;

/// A server with room in its accept queue: where that is full a client waits for a second.
fn patient(pods: &Pods, port: u16) -> Result<Process> {
    let flags = ["--backlog", "4096"];
    serve_in(&pods.server, &pods.server.container, port, &flags)
}

/// The interval does not end while the agent runs: what is reported is what the first flow announced, and what the agent has when it is
/// told to stop.
#[test]
fn ten_thousand_connections_within_one_interval_are_exact() -> Result<()> {
    Pods::exact(
        "ten thousand connections within one interval are exact",
        |pods| {
            let mut product = Product::watch(&pods.root, "10m")?;
            let _serving = patient(pods, PORT)?;
            let mut plan = Plan::new(at(pods.server.addresses.v4, PORT), 10_000, 100, 300);
            plan.concurrency = NonZeroUsize::MIN.saturating_add(15);
            let truth = run_client(&pods.client, &plan)?;
            product.agent.daemon.stop()?;
            let counts = Counts::finished(&truth);
            for (level, (client, server)) in &pods.ends() {
                for edges in product.every_reader(level)? {
                    edge::find(&edges, client, server, PORT)?.expect_both(&counts)?;
                }
            }
            Ok(())
        },
    )
}

/// On two ports, because a process may not have that many descriptors: half of them each. All that they have moved is read from the open
/// sockets.
#[test]
fn twenty_thousand_open_connections_are_read_exactly() -> Result<()> {
    Pods::exact(
        "twenty thousand open connections are read exactly",
        |pods| {
            let product = Product::watch(&pods.root, "500ms")?;
            let ports = [PORT, PORT + 1];
            let _serving = [patient(pods, PORT)?, patient(pods, PORT + 1)?];
            let mut held = ports
                .iter()
                .map(|port| {
                    Held::open(&pods.client, at(pods.server.addresses.v6, *port), 10_000, 0)
                })
                .collect::<Result<Vec<_>>>()?;
            // Different on each port, so that whatever is mixed up shows.
            for (held, (send, receive)) in held.iter_mut().zip([(100, 70), (33, 210)]) {
                held.exchange(send, receive)?;
            }
            let sum = held
                .iter()
                .fold(Tally::default(), |sum, held| sum + held.tally);
            ensure!(sum.connections == 20_000, "{sum:?}");
            let open = held.iter().map(|held| Counts::open(&held.tally));
            expect(pods, &product, &ports, &open.collect::<Vec<_>>())?;
            let truths = held.into_iter().map(Held::close);
            let over = truths.map(|truth| Ok(Counts::finished(&truth?)));
            expect(pods, &product, &ports, &over.collect::<Result<Vec<_>>>()?)
        },
    )
}

/// What the edges to these ports must show; that none changes any more is waited for once.
fn expect(pods: &Pods, product: &Product, ports: &[u16], counts: &[Counts]) -> Result<()> {
    for (port, counts) in ports.iter().zip(counts) {
        pods.expect(&product.reader, *port, counts)?;
    }
    product.settle()?;
    for (port, counts) in ports.iter().zip(counts) {
        pods.edge(&product.reader, *port)?.expect_both(counts)?;
    }
    Ok(())
}

/// Each closed port is a flow of its own, with one connect that was refused; the one that is open has its connections.
#[test]
fn a_port_scan_is_one_refused_connect_for_each_closed_port() -> Result<()> {
    const SCANNED: u16 = 1_500;
    Pods::exact(
        "a port scan is one refused connect for each closed port",
        |pods| {
            let product = Product::watch(&pods.root, "300ms")?;
            let _serving = serve(&pods.server, PORT)?;
            let to = pods.server.addresses.v4;
            let truth = run_client(&pods.client, &Plan::new(at(to, PORT), 2, 100, 200))?;
            scan(&pods.client, at(to, PORT + 1), SCANNED)?;
            product.expect(pods, PORT, &Counts::finished(&truth))?;
            let refused = Counts {
                failed: 1,
                ..Counts::default()
            };
            let (client, server) = (pods.client.node_id(), pods.server.node_id());
            let check = || -> Result<()> {
                let graph = product.reader.graph("level=workload")?;
                let edges = edge::from_json(&graph)?;
                ensure!(
                    edges.len() == usize::from(SCANNED) + 1,
                    "{} edges",
                    edges.len()
                );
                for port in PORT + 1..=PORT + SCANNED {
                    let edge = edge::find(&edges, &client, &server, port)?;
                    ensure!(
                        edge.client_view == Some(refused) && edge.server_view.is_none(),
                        "{edge:?}"
                    );
                }
                ensure!(graph["complete"] == true, "{}", graph["gaps"]);
                Ok(())
            };
            pods.eventually("an edge for each port", check)?;
            product.settle()?;
            check()
        },
    )
}

/// A SYN to a dead address is nothing while it waits for an answer, and then one failure.
#[test]
fn a_connect_without_an_answer_is_nothing_until_it_fails() -> Result<()> {
    Pods::exact(
        "a connect without an answer is nothing until it fails",
        |pods| {
            let hole = black_hole(&pods.client.namespace, &pods.server.addresses)?;
            let product = Product::watch(&pods.root, "200ms")?;
            std::thread::scope(|scope| {
                // Three seconds: a SYN, and another one.
                let failing = scope.spawn(|| fail(&pods.client, "timeout", at(hole, PORT), 1));
                product.settle()?;
                let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
                ensure!(
                    !failing.is_finished(),
                    "it failed too early to be looked at"
                );
                ensure!(edges.is_empty(), "{edges:?}");
                failing.join().map_err(|_| anyhow::anyhow!("it panicked"))?
            })?;
            let dead = format!("external:{hole}");
            pods.eventually("the failure", || {
                let edge = product
                    .reader
                    .edge("workload", &pods.client.node_id(), &dead, PORT)?;
                let counts = Counts {
                    failed: 1,
                    ..Counts::default()
                };
                ensure!(edge.client_view == Some(counts), "{edge:?}");
                Ok(())
            })
        },
    )
}
