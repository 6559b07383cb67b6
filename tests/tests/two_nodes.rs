//! Two agents on one kernel, each with a part of the cgroups, are two nodes.

use anyhow::{Context, Result, ensure};
use insight_tests::cgroup::CgroupRoot;
use insight_tests::load::client::Plan;
use insight_tests::pod::Pod;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, Edge};
use insight_tests::traffic::{Held, at, run_client, serve};
use insight_tests::world::Pods;

const PORT: u16 = 7001;

#[test]
fn each_agent_counts_its_own_and_the_ends_become_one_edge() -> Result<()> {
    let promise = "each agent counts its own and the ends become one edge";
    Pods::exact(promise, one_edge_across)
}

fn one_edge_across(pods: &Pods) -> Result<()> {
    let (here, caller, neighbour) = (&pods.root, &pods.client, &pods.server);
    // The second node's cgroups lie beside the first's.
    let there = CgroupRoot::new()?;
    let callee = Pod::new(&pods.net, &there)?;
    let aggregator = Aggregator::start()?;
    let reader = aggregator.reader()?;
    // Open before the agents: the readout, too, looks at its own part only.
    let serving = [serve(neighbour, PORT)?, serve(&callee, PORT)?];
    let old = Held::open(caller, at(callee.addresses.v6, PORT), 3, 0)?;
    let near = Agent::start_with(&aggregator, "near", here, "300ms")?;
    let far = Agent::start_with(&aggregator, "far", &there, "300ms")?;

    let across = Plan::new(at(callee.addresses.v4, PORT), 12, 1_234, 5_678);
    let across = run_client(caller, &across)?;
    let within = Plan::new(at(neighbour.addresses.v4, PORT), 5, 100, 70_000);
    let within = run_client(caller, &within)?;

    let crossing = Counts {
        active: 3,
        ..Counts::finished(&across)
    };
    let inside = Counts::finished(&within);
    let both = |edge: &Edge, counts: &Counts| {
        edge.expect_both(counts)
            .with_context(|| format!("{} → {}", edge.client, edge.server))
    };
    let right = || -> Result<()> {
        for level in ["container", "workload"] {
            let id = |pod: &Pod| match level {
                "container" => pod.container.node_id(),
                _ => pod.node_id(),
            };
            let edge = reader.edge(level, &id(caller), &id(&callee), PORT)?;
            both(&edge, &crossing)?;
            let edge = reader.edge(level, &id(caller), &id(neighbour), PORT)?;
            both(&edge, &inside)?;
        }
        both(
            &reader.edge("node", "node:near", "node:far", PORT)?,
            &crossing,
        )?;
        both(
            &reader.edge("node", "node:near", "node:near", PORT)?,
            &inside,
        )?;
        for (level, count) in [("container", 2), ("workload", 2), ("node", 2)] {
            let edges = reader.grpc.edges(level)?;
            ensure!(edges.len() == count, "{level}: {edges:#?}");
        }
        Ok(())
    };
    pods.eventually("both edges", right)?;
    near.settle()?;
    far.settle()?;
    right()?;
    // Near: client of both, server of the neighbour. Far: the callee's end. One flow for each family, and nobody else's.
    let flows = |agent: &Agent| agent.status("/flow_map/used");
    ensure!(
        (flows(&near)?, flows(&far)?) == (4, 2),
        "flows of others are counted"
    );
    let nodes = reader.graph("level=container")?;
    for (pod, node) in [(caller, "near"), (neighbour, "near"), (&callee, "far")] {
        let found = nodes["nodes"].as_array().is_some_and(|nodes| {
            nodes
                .iter()
                .any(|found| found["id"] == pod.container.node_id() && found["node"] == node)
        });
        ensure!(found, "{} is not on {node}: {nodes}", pod.uid);
    }
    old.close()?;
    drop(serving);
    Ok(())
}
