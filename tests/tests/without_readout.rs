//! Without the readout, here because the agent is not in the host's PID namespace, connections are counted all the same; the bytes of
//! an open one arrive when it closes, and the graph says so.

use anyhow::{Context, Result, ensure};
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, http};
use insight_tests::traffic::{Held, at, serve};
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::world::{NODE, Pods, Product};
use serde_json::Value;

const PORT: u16 = 7001;

/// A PID namespace of its own, which dies with its starter.
const CONFINED: [&str; 4] = ["unshare", "--pid", "--fork", "--kill-child"];

fn confined(pods: &Pods) -> Result<Product> {
    let aggregator = Aggregator::start()?;
    let agent = Agent::started_by(&CONFINED, &aggregator, NODE, &pods.root, "300ms")?;
    Product::of(aggregator, agent)
}

#[test]
fn bytes_arrive_at_close_and_the_graph_says_so() -> Result<()> {
    Pods::exact("bytes arrive at close and the graph says so", |pods| {
        let mut product = confined(pods)?;
        let _serving = serve(&pods.server, PORT)?;
        let mut held = Held::open(&pods.client, at(pods.server.addresses.v4, PORT), 3, 0)?;
        held.exchange(1_000, 2_000)?;

        let open = Counts {
            bytes_sent: 0,
            bytes_received: 0,
            ..Counts::open(&held.tally)
        };
        product.expect(pods, PORT, &open)?;
        let status = http::get_ok(product.agent.http_port, "/status")?;
        let status: Value = serde_json::from_str(&status)?;
        let readout = status["probes"]
            .as_array()
            .and_then(|probes| probes.iter().find(|probe| probe["name"] == "readout"))
            .with_context(|| format!("no readout in {status}"))?;
        let reason = readout["reason"].as_str().unwrap_or_default();
        ensure!(
            readout["attached"] == false && reason.contains("hostPID"),
            "{readout}"
        );

        eventually(PATIENCE, "the graph to say so", || {
            let graph = product.reader.graph("")?;
            let gaps = graph["gaps"].as_array().context("gaps")?;
            let said = gaps.iter().any(|gap| gap["reason"] == "no_live_readout");
            ensure!(said && graph["complete"] == false, "{gaps:?}");
            Ok(())
        })?;

        let truth = held.close()?;
        product.expect(pods, PORT, &Counts::finished(&truth))?;
        product.agent.daemon.kill()
    })
}

/// Nobody knows how many older connections there are, but those that close do not take away from the new ones.
#[test]
fn old_connections_that_closed_hide_no_new_ones() -> Result<()> {
    Pods::exact("old connections that closed hide no new ones", |pods| {
        let _serving = serve(&pods.server, PORT)?;
        let to = at(pods.server.addresses.v4, PORT);
        let mut old = Held::open(&pods.client, to, 2, 0)?;
        old.exchange(100, 300)?;
        let mut product = confined(pods)?;
        let gone = old.close()?;
        let closed = Counts {
            opened: 0,
            ..Counts::finished(&gone)
        };
        product.expect(pods, PORT, &closed)?;

        let new = Held::open(&pods.client, to, 3, 0)?;
        let mut counts = Counts {
            opened: 3,
            active: 3,
            ..closed
        };
        product.expect(pods, PORT, &counts)?;
        new.close()?;
        counts.active = 0;
        counts.closed += 3;
        product.expect(pods, PORT, &counts)?;
        product.agent.daemon.kill()
    })
}
