//! Connections and payload bytes are exact at both ends, however the connections look and however they end.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::{Ending, Plan};
use insight_tests::load::tally::Tally;
use insight_tests::reader::Counts;
use insight_tests::traffic::{at, load, run_client, serve};
use insight_tests::wait::PATIENCE;
use insight_tests::world::{NODE, Pods, Product};

const INTERVAL: &str = "500ms";

/// Runs the plans one after the other on a port of their own, and expects the sum of what they did on the one edge.
fn exact(pods: &Pods, product: &Product, port: u16, plans: &[Plan]) -> Result<()> {
    let _serving = serve(&pods.server, port)?;
    let mut truth = Tally::default();
    for plan in plans {
        truth += run_client(&pods.client, plan)?;
    }
    let asked: u64 = plans.iter().map(|plan| plan.connections).sum();
    ensure!(truth.connections == asked, "{truth:?}");
    product.expect(pods, port, &Counts::finished(&truth))
}

/// Requests of odd lengths, several on each connection, some at the same time; replies of more than one segment.
fn varied(to: IpAddr, port: u16, ending: Ending) -> Plan {
    let mut plan = Plan::new(at(to, port), 23, 1_237, 70_001);
    plan.requests = 3;
    plan.concurrency = NonZeroUsize::MIN.saturating_add(3);
    plan.ending = ending;
    plan
}

#[test]
fn every_family_and_ending_is_exact() -> Result<()> {
    Pods::exact("every family and ending is exact", |pods| {
        let product = Product::watch(&pods.root, INTERVAL)?;
        let to = pods.server.addresses;
        // The server's socket is an AF_INET6 one each time, so with an IPv4 client it sees a mapped address.
        let families = [
            ("IPv4", to.v4.into(), 7001),
            ("IPv6", to.v6.into(), 7002),
            ("mapped", to.mapped(), 7003),
        ];
        for (family, address, port) in families {
            let plans = [Ending::Close, Ending::Reset, Ending::HalfClose]
                .map(|ending| varied(address, port, ending));
            exact(pods, &product, port, &plans).context(family)?;
        }
        nodes_have_their_names(pods, &product)
    })
}

/// Two sockets of one pod, one AF_INET and one AF_INET6 with a mapped address, are clients of the same edge.
#[test]
fn ipv4_and_mapped_are_one_edge() -> Result<()> {
    Pods::exact("IPv4 and mapped are one edge", |pods| {
        let product = Product::watch(&pods.root, INTERVAL)?;
        let to = pods.server.addresses;
        let plans = [
            Plan::new(at(to.v4, 7001), 11, 100, 3_000),
            Plan::new(at(to.mapped(), 7001), 7, 50, 0),
        ];
        exact(pods, &product, 7001, &plans)
    })
}

/// A server that listens on IPv4 only: both ends are AF_INET.
#[test]
fn ipv4_sockets_at_both_ends_are_exact() -> Result<()> {
    Pods::exact("IPv4 sockets at both ends are exact", |pods| {
        let product = Product::watch(&pods.root, INTERVAL)?;
        let mut serving = pods.server.spawn(
            "insight-load server",
            load(["server", "--listen", "0.0.0.0:7001"])?,
        )?;
        serving.line(PATIENCE)?;
        let plan = varied(pods.server.addresses.v4.into(), 7001, Ending::Close);
        let truth = run_client(&pods.client, &plan)?;
        product.expect(pods, 7001, &Counts::finished(&truth))
    })
}

#[test]
fn a_burst_of_a_thousand_connections_is_exact() -> Result<()> {
    Pods::exact("a burst of a thousand connections is exact", |pods| {
        let product = Product::watch(&pods.root, "200ms")?;
        let mut plan = Plan::new(at(pods.server.addresses.v4, 7001), 1_000, 1_024, 2_048);
        plan.concurrency = NonZeroUsize::MIN.saturating_add(31);
        exact(pods, &product, 7001, &[plan])
    })
}

/// Who the ends are, with nobody left over: at the level of nodes both are this one.
fn nodes_have_their_names(pods: &Pods, product: &Product) -> Result<()> {
    for (level, (client, server)) in &pods.ends() {
        for edges in product.every_reader(level)? {
            ensure!(
                edges.len() == 3
                    && edges
                        .iter()
                        .all(|edge| (&edge.client, &edge.server) == (client, server)),
                "other edges than those between the pods: {edges:#?}"
            );
        }
        let graph = product.reader.graph(&format!("level={level}"))?;
        for (id, pod) in [(client, &pods.client), (server, &pods.server)] {
            let node = graph["nodes"]
                .as_array()
                .and_then(|nodes| nodes.iter().find(|node| node["id"] == id.as_str()))
                .with_context(|| format!("no node {id} in {graph}"))?;
            ensure!(
                node["labels"]["pod_uid"] == pod.uid.as_str() && node["node"] == NODE,
                "{node}"
            );
        }
        ensure!(graph["edges"][0]["protocol"] == "tcp", "{graph}");
    }
    let here = format!("node:{NODE}");
    for edges in product.every_reader("node")? {
        ensure!(
            edges
                .iter()
                .all(|edge| edge.client == here && edge.server == here),
            "{edges:#?}"
        );
    }
    Ok(())
}
