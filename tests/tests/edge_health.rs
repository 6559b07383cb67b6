//! How well an edge does: times, resets, and what had to be sent again.

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::{Ending, Plan};
use insight_tests::net::black_hole;
use insight_tests::traffic::{Held, at, fail, run_client, serve};
use insight_tests::world::{Pods, Product};
use serde_json::Value;

const PORT: u16 = 7001;
const RESET: u16 = 7002;

#[test]
fn every_connection_has_its_times_and_resets_are_counted_by_who_receives_them() -> Result<()> {
    Pods::exact(
        "every connection has its times, and resets are counted by who receives them",
        |pods| {
            let product = Product::watch(&pods.root, "300ms")?;
            let _serving = [serve(&pods.server, PORT)?, serve(&pods.server, RESET)?];
            let to = |port| at(pods.server.addresses.v4, port);
            run_client(&pods.client, &Plan::new(to(PORT), 40, 3_000, 5_000))?;
            let mut plan = Plan::new(to(RESET), 30, 100, 200);
            plan.ending = Ending::Reset;
            run_client(&pods.client, &plan)?;
            product.settle()?;
            pods.eventually("the closes", || {
                for (port, connections, resets) in [(PORT, 40, 0), (RESET, 30, 30)] {
                    let edge = edge(&product, port)?;
                    for (side, resets) in [("client_view", 0), ("server_view", resets)] {
                        let view = &edge[side];
                        ensure!(view["connections_closed"] == connections, "{edge}");
                        ensure!(view["resets"] == resets, "{side}: {edge}");
                        ensure!(view["syn_retransmits"] == 0, "{side}: {edge}");
                        ensure!(view["connect"]["count"] == connections, "{side}: {edge}");
                        ensure!(count(view, "rtt")? >= connections, "{side}: {edge}");
                        ascending(&view["rtt"])?;
                        ascending(&view["connect"])?;
                    }
                }
                Ok(())
            })
        },
    )
}

#[test]
fn an_open_connection_shows_its_round_trips_while_it_is_used() -> Result<()> {
    Pods::exact(
        "an open connection shows its round trips while it is used",
        |pods| {
            let product = Product::watch(&pods.root, "300ms")?;
            let _serving = serve(&pods.server, PORT)?;
            let mut held = Held::open(&pods.client, at(pods.server.addresses.v4, PORT), 2, 1)?;
            let mut last = 0;
            for _ in 0..3 {
                held.exchange(1_000, 1_000)?;
                last = pods.eventually("more round trips", || {
                    let now = count(&edge(&product, PORT)?["client_view"], "rtt")?;
                    ensure!(now > last, "there are {now}");
                    Ok(now)
                })?;
            }
            // An idle one has nothing new to tell.
            product.settle()?;
            let rested = count(&edge(&product, PORT)?["client_view"], "rtt")?;
            product.settle()?;
            let later = count(&edge(&product, PORT)?["client_view"], "rtt")?;
            ensure!(later == rested, "{rested} became {later}");
            held.close().map(drop)
        },
    )
}

#[test]
fn handshakes_that_are_tried_again_are_counted() -> Result<()> {
    Pods::exact("handshakes that are tried again are counted", |pods| {
        let product = Product::watch(&pods.root, "300ms")?;
        let silent = black_hole(&pods.client.namespace, &pods.server.addresses)?;
        fail(&pods.client, "timeout", at(silent, PORT), 3)?;
        let sent_again = pods.client.kernel_count("TcpExt", "TCPSynRetrans")?;
        ensure!(sent_again >= 3, "{sent_again} SYNs were sent again");
        pods.eventually("the failures", || {
            let edge = edge(&product, PORT)?;
            let view = &edge["client_view"];
            ensure!(view["failures"]["timed_out"] == 3, "{edge}");
            ensure!(
                view["syn_retransmits"] == sent_again,
                "{edge}; {sent_again} by the kernel's own count"
            );
            ensure!(view["connect"].is_null() && view["rtt"].is_null(), "{edge}");
            Ok(())
        })
    })
}

/// The only edge to that port.
fn edge(product: &Product, port: u16) -> Result<Value> {
    let graph = product.reader.graph("level=workload")?;
    let edges = graph["edges"].as_array().context("edges")?;
    let edge = edges.iter().find(|edge| edge["port"] == port);
    edge.cloned().with_context(|| format!("no edge to {port}"))
}

fn count(view: &Value, times: &str) -> Result<u64> {
    let count = view[times]["count"].as_u64();
    count.with_context(|| format!("no {times} in {view}"))
}

/// Quantiles of times within one host: above nothing, below a second.
fn ascending(times: &Value) -> Result<()> {
    let quantiles = ["p50_us", "p90_us", "p99_us"].map(|name| times[name].as_u64().unwrap_or(0));
    ensure!(
        quantiles.is_sorted() && quantiles[0] > 0 && quantiles[2] < 1_000_000,
        "{times}"
    );
    Ok(())
}
