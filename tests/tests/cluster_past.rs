//! A graph of a past time has the names and labels of then: also after the workloads are gone, and the aggregator was started again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::calls::{self, Calls};
use insight_tests::cluster::{Cluster, Load, Stage};
use insight_tests::needs_root;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::edge::{find, from_json};
use insight_tests::wait::{PATIENCE, eventually, pause};
use serde_json::Value;

const PORT: u16 = 7085;
const MINUTE: u64 = 60_000;
/// So long after its end a time range is named as it was known then, and not as it is known now; and some seconds more.
const PAST: u64 = 125_000;

/// Minutes in which a client called a server, milliseconds since 1970.
struct Past<'a> {
    aggregator: &'a Aggregator,
    namespace: String,
    from: u64,
    to: u64,
}

impl Past<'_> {
    fn graph(&self, level: &str) -> Result<Value> {
        let (from, to) = (self.from, self.to);
        let question = format!("from={from}&to={to}&level={level}&ports={PORT}");
        self.aggregator.reader()?.graph(&question)
    }

    /// Both ends have the names and labels that they had, and nothing is said to be missing.
    fn is_as_it_was(&self) -> Result<()> {
        let graph = self.graph("workload")?;
        let id = |name: &str| format!("deployment:{}/{name}", self.namespace);
        let edge = find(&from_json(&graph)?, &id("client"), &id("server"), PORT)?;
        ensure!(edge.client_view.is_some() && edge.server_view.is_some());
        let label = |id: &str, key: &str| -> Result<String> {
            let nodes = graph["nodes"].as_array().context("no nodes")?;
            let node = nodes.iter().find(|node| node["id"] == id);
            let labels = &node.context("no node")?["kubernetes_labels"];
            Ok(labels[key].as_str().unwrap_or_default().to_owned())
        };
        ensure!(label(&id("server"), "tier")? == "gold", "{graph}");
        ensure!(label(&id("client"), "app")? == "client", "{graph}");
        let gaps = graph["gaps"].as_array().context("no gaps")?;
        let of_names = gaps.iter().find(|gap| {
            gap["reason"]
                .as_str()
                .is_some_and(|reason| reason.starts_with("kubernetes"))
        });
        ensure!(of_names.is_none(), "{of_names:?}");
        let pods = from_json(&self.graph("pod")?)?;
        ensure!(
            pods.iter().all(|edge| edge.client.starts_with("pod:")),
            "{pods:?}"
        );
        Ok(())
    }
}

#[test]
fn a_past_graph_has_its_names_after_all_is_gone() -> Result<()> {
    needs_root!("a past graph has its names after all is gone");
    let cluster = Cluster::obtain()?;
    let stage = Stage::new(&cluster)?;
    let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]];
    let server = stage.deploy("server", near, &[Load::serve(PORT, 100)])?;
    let client = stage.deploy("client", far, &[Load::serve(PORT, 100)])?;
    let Stage {
        pods,
        mut aggregator,
        agents,
        ..
    } = stage;
    pods.kubectl(&["label", "deployment", "server", "tier=gold"])?;
    calls::pause_into_next_minute(Duration::from_secs(1));
    let from = calls::minute_of(calls::clock());
    let to = from + MINUTE;
    let call = format!(
        "call --to {}:{PORT} --send 64 --every-ms 50",
        server.addresses[0]
    );
    let mut calls = Calls::of(pods.load_in(&client, "serve", &call)?);
    pause(Duration::from_secs(5));
    calls.end()?;
    agents.iter().try_for_each(Agent::settle)?;
    let namespace = pods.name.clone();
    // What comes in another minute does not belong to then.
    calls::pause_into_next_minute(Duration::from_secs(1));
    pods.kubectl(&["label", "deployment", "server", "tier=lead", "--overwrite"])?;
    pods.kubectl(&[
        "delete",
        "deployment",
        "server",
        "client",
        "--cascade=foreground",
    ])?;
    drop(pods);
    eventually(PATIENCE, "the namespace to go", || {
        let found = cluster.try_kubectl(&["get", "namespace", &namespace])?;
        ensure!(found.code != Some(0), "{}", found.stdout);
        Ok(())
    })?;
    aggregator.daemon.kill()?;
    aggregator.restart()?;
    while calls::clock() < to + PAST {
        pause(Duration::from_secs(1));
    }
    let past = Past {
        aggregator: &aggregator,
        namespace,
        from,
        to,
    };
    past.is_as_it_was()
        .with_context(|| past.aggregator.daemon.log())?;
    let metrics = aggregator.reader()?.metrics()?;
    let rebuilt = metrics.lines().any(|line| {
        line.starts_with("insight_names_rebuild_seconds_count") && !line.ends_with(" 0")
    });
    ensure!(rebuilt, "no index was made");
    Ok(())
}
