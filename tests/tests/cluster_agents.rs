//! Two agents on one kernel, each on its node of a real cluster, count each pod's connections once, on the right node.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use insight_tests::cluster::{Cluster, Namespace, daemon_set, image};
use insight_tests::needs_root;
use insight_tests::product::Aggregator;
use insight_tests::reader::edge;
use insight_tests::wait::{PATIENCE, eventually};

/// One that the witness watches.
const PORT: u16 = 7080;
/// How often the client asks.
const TIMES: u64 = 30;

/// A client on the first node and a server on the second; the aggregator must show what they do.
fn calls_are_counted(cluster: &Cluster, pods: &Namespace, aggregator: &Aggregator) -> Result<()> {
    let serve = ["httpd", "-f", "-p", &PORT.to_string(), "-h", "/etc"];
    pods.run("server", &cluster.nodes[1], image::BUSYBOX, &serve)?;
    pods.run(
        "client",
        &cluster.nodes[0],
        image::BUSYBOX,
        &["sleep", "3600"],
    )?;
    pods.wait("Ready", &["pod/server", "pod/client"])?;
    let (client, server) = (pods.pod("client")?, pods.pod("server")?);
    let IpAddr::V4(address) = server.addresses[0] else {
        anyhow::bail!("no IPv4: {server:?}");
    };
    let script = format!(
        "for i in $(seq {TIMES}); do wget -q -O /dev/null http://{address}:{PORT}/passwd || exit 1; done"
    );
    pods.exec("client", &["sh", "-c", &script])?;

    let id = |containers: &[String]| format!("container:{}", containers[0]);
    let (from, to) = (id(&client.containers), id(&server.containers));
    let reader = aggregator.reader()?;
    eventually(PATIENCE, "the pods' edge", || {
        let graph = reader.graph("level=container")?;
        let edge = edge::find(&edge::from_json(&graph)?, &from, &to, PORT)?;
        let views = [edge.client_view, edge.server_view];
        let exact = views.into_iter().all(|view| {
            view.is_some_and(|view| {
                view.opened == TIMES && view.closed == TIMES && view.failed == 0
            })
        });
        ensure!(exact, "{edge:?}");
        for (container, node) in [(&from, &client.node), (&to, &server.node)] {
            let nodes = graph["nodes"].as_array().into_iter().flatten();
            let mut found = nodes.filter(|found| found["id"] == container.as_str());
            ensure!(found.any(|found| found["node"] == node.as_str()), "{graph}");
        }
        Ok(())
    })
}

#[test]
fn as_processes_of_the_nodes() -> Result<()> {
    needs_root!("agents as processes of the nodes");
    Cluster::in_clear_view(|cluster| {
        let pods = Namespace::new(cluster)?;
        let aggregator = cluster.aggregator(&[])?;
        let mut agents = Vec::new();
        for node in &cluster.nodes {
            agents.push(node.agent(&aggregator, &["--pin-dir", "off"])?);
        }
        calls_are_counted(cluster, &pods, &aggregator)
    })
}

#[test]
fn as_pods_with_the_least_rights() -> Result<()> {
    needs_root!("agents as pods with the least rights");
    Cluster::in_clear_view(|cluster| {
        let aggregator = cluster.aggregator(&[])?;
        let pods = Namespace::new(cluster)?;
        daemon_set::agents(&pods, &aggregator, &[])?;
        calls_are_counted(cluster, &pods, &aggregator)
    })
}
