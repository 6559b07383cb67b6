//! Connects that fail are counted as such, by kind, and are no traffic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::net::black_hole;
use insight_tests::reader::{Counts, edge};
use insight_tests::traffic::{at, fail, run_client, serve};
use insight_tests::world::{Pods, Product};
use serde_json::{Value, json};

const OPEN: u16 = 7001;
const SHUT: u16 = 7002;

/// The edge must be one of failures only, all of one kind, in every reader.
fn only_failures(
    pods: &Pods,
    product: &Product,
    (server, port): (&str, u16),
    kind: &str,
    count: u64,
) -> Result<()> {
    let client = pods.client.container.node_id();
    let expected = Counts {
        failed: count,
        ..Counts::default()
    };
    pods.eventually("the failures", || {
        let edge = product.reader.edge("container", &client, server, port)?;
        ensure!(edge.client_view == Some(expected), "{edge:?}");
        Ok(())
    })?;
    product.settle()?;
    for edges in product.every_reader("container")? {
        let edge = edge::find(&edges, &client, server, port)?;
        ensure!(
            edge.client_view == Some(expected) && edge.server_view.is_none(),
            "{edge:?}"
        );
    }
    let graph = product.reader.graph("level=container")?;
    let failures = failures_of(&graph, server, port)?;
    let mut expected = json!({ "refused": 0, "timed_out": 0, "unreachable": 0, "other": 0 });
    expected[kind] = count.into();
    ensure!(*failures == expected, "{failures}, expected {expected}");
    Ok(())
}

fn failures_of<'g>(graph: &'g Value, server: &str, port: u16) -> Result<&'g Value> {
    let edges = graph["edges"].as_array().context("no edges")?;
    edges
        .iter()
        .find(|edge| edge["server"] == server && edge["port"] == port)
        .map(|edge| &edge["client_view"]["failures"])
        .with_context(|| format!("no edge to {server}:{port} in {graph}"))
}

#[test]
fn failures_are_told_by_kind() -> Result<()> {
    Pods::exact("failures are told by kind", |pods| {
        let hole = black_hole(&pods.client.namespace, &pods.server.addresses)?;
        let product = Product::watch(&pods.root, "300ms")?;
        let nobody = Ipv4Addr::new(10, 244, 0, 254);
        let cases: [(&str, &str, SocketAddr, u64); 5] = [
            ("refused", "refused", at(pods.server.addresses.v4, SHUT), 3),
            ("refused", "refused", at(pods.server.addresses.v6, SHUT), 4),
            ("timeout", "timed_out", at(hole, SHUT), 1),
            ("unreachable", "unreachable", at(nobody, SHUT), 1),
            ("abandoned", "other", at(hole, OPEN), 5),
        ];
        for (ending, kind, to, count) in cases {
            fail(&pods.client, ending, to, count)?;
            // Nothing was measured at the other end, so its address is all that is known.
            let server = format!("external:{}", to.ip());
            only_failures(pods, &product, (&server, to.port()), kind, count)?;
        }
        Ok(())
    })
}

#[test]
fn a_refused_connect_names_the_pod_that_has_the_address() -> Result<()> {
    Pods::exact(
        "a refused connect names the pod that has the address",
        |pods| {
            let product = Product::watch(&pods.root, "300ms")?;
            let _serving = serve(&pods.server, OPEN)?;
            let to = pods.server.addresses;
            let talk = run_client(&pods.client, &Plan::new(at(to.v4, OPEN), 2, 100, 200))?;
            product.expect(pods, OPEN, &Counts::finished(&talk))?;

            // Also when the socket is an AF_INET6 one.
            fail(&pods.client, "refused", at(to.v4, SHUT), 3)?;
            fail(&pods.client, "refused", at(to.mapped(), SHUT), 4)?;
            let server = pods.server.container.node_id();
            only_failures(pods, &product, (&server, SHUT), "refused", 7)?;
            // The edge with traffic is as it was.
            product.expect(pods, OPEN, &Counts::finished(&talk))
        },
    )
}

#[test]
fn a_pods_refused_connect_to_itself_stays_in_the_pod() -> Result<()> {
    Pods::exact(
        "a pod's refused connect to itself stays in the pod",
        |pods| {
            let product = Product::watch(&pods.root, "300ms")?;
            let own = pods.client.addresses;
            let ways: [IpAddr; 4] = [
                Ipv4Addr::LOCALHOST.into(),
                Ipv6Addr::LOCALHOST.into(),
                own.v4.into(),
                own.v6.into(),
            ];
            for address in ways {
                fail(&pods.client, "refused", at(address, SHUT), 2)?;
            }
            // Which of the pod's containers was meant nobody knows.
            let server = pods.client.node_id();
            only_failures(pods, &product, (&server, SHUT), "refused", 8)
        },
    )
}

#[test]
fn a_listener_that_nobody_calls_is_no_edge() -> Result<()> {
    Pods::exact("a listener that nobody calls is no edge", |pods| {
        let _before = serve(&pods.server, OPEN)?;
        let product = Product::watch(&pods.root, "300ms")?;
        let _after = serve(&pods.client, SHUT)?;
        product.settle()?;
        for edges in product.every_reader("container")? {
            ensure!(edges.is_empty(), "{edges:?}");
        }
        Ok(())
    })
}
