//! Pods that no workload of Kubernetes' own has made: one that its node runs by itself, and one of a kind that somebody added.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use insight_tests::cluster::calls::told;
use insight_tests::cluster::owners::Kinds;
use insight_tests::cluster::stage::node_of;
use insight_tests::cluster::{Cluster, Load, Stage, StaticPod};
use insight_tests::needs_root;
use insight_tests::reader::edge::{Counts, find, from_json};
use insight_tests::wait::{PATIENCE, eventually};

/// Two that the witness watches.
const PORT: u16 = 7086;
const OWNED: u16 = 7087;
const REQUEST: u64 = 150;
const REPLY: u64 = 450;
const EVERY_MS: u64 = 30;
const TIMES: u64 = 40;

#[test]
fn a_static_pod_is_named_as_a_client_and_as_a_server() -> Result<()> {
    needs_root!("a static pod is named");
    Cluster::in_clear_view(|cluster| {
        let stage = Stage::new(cluster)?;
        let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]];
        let serves = StaticPod::start(&stage.pods, near, "serves", &Load::serve(PORT, REPLY))?;
        let server = serves.pod()?;
        let to = SocketAddr::from((server.addresses[0], PORT));
        let calls = Load::call_times(to, REQUEST, EVERY_MS, TIMES);
        let calls = StaticPod::start(&stage.pods, far, "calls", &calls)?;
        let client = calls.pod()?;
        let truth = Counts::finished(&told(&stage.pods, &client.name, "call", TIMES)?);
        stage.settle()?;
        let query = |level| format!("level={level}&ports={PORT}");
        let [from, to] = [&client, &server].map(|pod| format!("pod:{}", pod.uid));
        eventually(PATIENCE, "the pods' edge", || {
            for level in ["pod", "workload"] {
                let graph = stage.graph(&query(level))?;
                let edges = from_json(&graph)?;
                ensure!(edges.len() == 1, "{edges:#?}");
                find(&edges, &from, &to, PORT)?.expect_both(&truth)?;
                for (pod, id) in [(&client, &from), (&server, &to)] {
                    let node = node_of(&graph, id)?;
                    ensure!(
                        node["name"] == pod.name.as_str() && node["node"] == pod.node.as_str(),
                        "{node}"
                    );
                }
            }
            let graph = stage.graph(&query("container"))?;
            for (pod, container) in [(&client, "call"), (&server, "serve")] {
                let node = node_of(&graph, &format!("container:{}", pod.containers[0]))?;
                let name = format!("{}/{container}", pod.name);
                ensure!(node["name"] == name.as_str(), "{node}");
            }
            Ok(())
        })
    })
}

#[test]
fn a_pod_is_part_of_whatever_object_is_at_the_end_of_its_owners() -> Result<()> {
    needs_root!("a pod is part of a custom resource");
    Cluster::in_clear_view(|cluster| {
        let stage = Stage::new(cluster)?;
        let server = stage.deploy("server", &cluster.nodes[1], &[Load::serve(OWNED, REPLY)])?;
        let to = SocketAddr::from((server.addresses[0], OWNED));
        // The aggregator runs already and has never heard of these kinds.
        let kinds = Kinds::new(cluster, &stage.pods)?;
        let nest = kinds.make(&stage.pods, "Nest", "elm", None)?;
        let bird = kinds.make(&stage.pods, "Bird", "rook", Some(&nest))?;
        for (name, owner) in [("egg", &nest), ("feather", &bird)] {
            let call = Load::call_times(to, REQUEST, EVERY_MS, TIMES).container()?;
            let (owner, node) = (kinds.reference(owner), &cluster.nodes[0].name);
            stage.pods.apply(&format!(
                "
apiVersion: v1
kind: Pod
metadata: {{name: {name}{owner}}}
spec: {{nodeName: {node}, terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, containers: [{call}]}}
"
            ))?;
        }
        let mut truth = Counts::default();
        for name in ["egg", "feather"] {
            stage.pods.wait("Ready", &[&format!("pod/{name}")])?;
            truth += Counts::finished(&told(&stage.pods, name, "call", TIMES)?);
        }
        stage.settle()?;
        let nest = stage.id(&format!("nest.{}", kinds.group), "elm");
        eventually(PATIENCE, "the edge of what owns both pods", || {
            let graph = stage.graph(&format!("level=workload&ports={OWNED}"))?;
            let edges = from_json(&graph)?;
            ensure!(edges.len() == 1, "{edges:#?}");
            let edge = find(&edges, &nest, &stage.id("deployment", "server"), OWNED)?;
            edge.expect_both(&truth)?;
            let node = node_of(&graph, &nest)?;
            ensure!(node["name"] == "elm" && node["kind"] == "nest", "{node}");
            // Which only its own object tells.
            let labels = &node["kubernetes_labels"];
            ensure!(*labels == serde_json::json!({"made-by": "test"}), "{node}");
            Ok(())
        })
    })
}
