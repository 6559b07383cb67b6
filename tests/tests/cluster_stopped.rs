//! The cluster's API server is killed under traffic and away for a minute: all is counted, by the names that are known, and said to be stale; afterwards
//! it is caught up with.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::calls::told;
use insight_tests::cluster::{Cluster, Load, Stage};
use insight_tests::needs_root;
use insight_tests::reader::edge::{Counts, Edge, find, from_json};
use insight_tests::wait::{PATIENCE, eventually, pause};

/// One that the witness watches.
const PORT: u16 = 7094;
const REQUEST: u64 = 130;
const REPLY: u64 = 520;
const EVERY_MS: u64 = 50;
/// Of the client: longer than the API server is away.
const TIMES: u64 = 2000;
/// Of whoever comes afterwards.
const LATE: u64 = 40;
/// How often the graph is looked at without an API server, and how long it is until the next time.
const LOOKS: u32 = 12;
const BETWEEN: Duration = Duration::from_secs(5);

/// The only edge, between the two by their names, and whether the graph says that names may be old.
fn look(stage: &Stage) -> Result<(Edge, bool)> {
    let graph = stage.graph(&format!("level=workload&ports={PORT}"))?;
    let edges = from_json(&graph)?;
    ensure!(edges.len() == 1, "{edges:#?}");
    let [client, server] = ["client", "server"].map(|name| stage.id("deployment", name));
    let edge = find(&edges, &client, &server, PORT)?;
    let mut gaps = graph["gaps"].as_array().context("no gaps")?.iter();
    Ok((edge, gaps.any(|gap| gap["reason"] == "kubernetes_stale")))
}

/// Connections that both ends have counted.
fn opened(edge: &Edge) -> Result<u64> {
    let both = [edge.client_view, edge.server_view];
    let both = both.map(|view| view.map(|view| view.opened));
    let [Some(client), Some(server)] = both else {
        anyhow::bail!("{edge:?}")
    };
    Ok(client.min(server))
}

fn wait_stale(stage: &Stage, expected: bool) -> Result<u64> {
    eventually(PATIENCE, "what the graph says of its names' age", || {
        let (edge, stale) = look(stage)?;
        ensure!(stale == expected, "stale: {stale}");
        opened(&edge)
    })
    .with_context(|| stage.aggregator.daemon.log())
}

#[test]
fn an_api_server_that_is_away_for_a_minute() -> Result<()> {
    needs_root!("the cluster's API server is away for a minute");
    Cluster::in_clear_view(|cluster| {
        let stage = Stage::new(cluster)?;
        let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]];
        let server = stage.deploy("server", far, &[Load::serve(PORT, REPLY)])?;
        let to = SocketAddr::from((server.addresses[0], PORT));
        let calls = Load::call_times(to, REQUEST, EVERY_MS, TIMES);
        let client = stage.deploy("client", near, &[calls])?;
        let before = wait_stale(&stage, false)?;
        cluster.without_api_server(|| {
            let mut known = wait_stale(&stage, true)?;
            ensure!(known >= before, "{known} after {before}");
            for _ in 0..LOOKS {
                pause(BETWEEN);
                let (edge, stale) = look(&stage)?;
                let now = opened(&edge)?;
                ensure!(stale && now > known, "{now} after {known}, stale: {stale}");
                known = now;
            }
            ensure!(known < TIMES, "the client has done all before the end");
            eprintln!("{} connections without the API server", known - before);
            Ok(())
        })?;
        wait_stale(&stage, false)?;
        // Who comes now has a name, and who was there has the same one.
        let late = Load::call_times(to, REQUEST, EVERY_MS, LATE);
        let late = stage.deploy("late", near, &[late])?;
        let of_late = Counts::finished(&told(&stage.pods, &late.name, "call", LATE)?);
        let of_client = Counts::finished(&told(&stage.pods, &client.name, "call", TIMES)?);
        stage.settle()?;
        eventually(PATIENCE, "the graph to be exact", || {
            let edges = stage.edges(&format!("level=workload&ports={PORT}"))?;
            ensure!(edges.len() == 2, "{edges:#?}");
            for (name, counts) in [("client", &of_client), ("late", &of_late)] {
                let [from, to] = [name, "server"].map(|name| stage.id("deployment", name));
                find(&edges, &from, &to, PORT)?.expect_both(counts)?;
            }
            Ok(())
        })
    })
}
