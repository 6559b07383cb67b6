//! The graph follows a workload that changes: its pods come and go, it stays itself.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::calls::Calls;
use insight_tests::cluster::{Cluster, Deployment, Load, Namespace, Pod};
use insight_tests::needs_root;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::edge::{Counts, Edge, find, from_json};
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::witness::{Round, Witness, in_clear_view};
use serde_json::Value;

/// Of the pods; one that the witness watches.
const PORT: u16 = 7083;
/// Bytes of a request, and of a reply of each workload.
const REQUEST: u64 = 64;
const WEB: u64 = 500;
const OTHER: u64 = 900;

/// A Service in front of a workload.
fn service(of: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: front}}
spec: {{selector: {{app: {of}}}, ports: [{{port: 80, targetPort: {PORT}}}]}}
"
    )
}

struct Scene<'a> {
    pods: Namespace<'a>,
    aggregator: Aggregator,
    agents: Vec<Agent>,
    calls: Calls,
}

/// Lets pods come to the node again, however the test ends.
struct Cordoned<'a>(&'a Cluster, &'a str);

impl Drop for Cordoned<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.kubectl(&["uncordon", self.1]) {
            eprintln!("left cordoned: {error:#}");
        }
    }
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self> {
        let pods = Namespace::new(cluster)?;
        let (aggregator, agents) = cluster.insight()?;
        Load::image()?;
        for (name, reply, replicas) in [("web", WEB, 2), ("other", OTHER, 1), ("client", 1, 1)] {
            let loads = [Load::serve(PORT, reply)];
            // The client stays where it is when the other node is drained.
            let node = Some(&cluster.nodes[0]).filter(|_| name == "client");
            Deployment {
                name,
                node,
                replicas,
                loads: &loads,
            }
            .apply(&pods)?;
        }
        pods.apply(&service("web"))?;
        for name in ["web", "other", "client"] {
            pods.rolled_out(name)?;
        }
        let address = pods.kubectl(&[
            "get",
            "service",
            "front",
            "-o",
            "jsonpath={.spec.clusterIP}",
        ])?;
        let call = format!("call --to {address}:80 --send {REQUEST} --every-ms 20");
        let client = pods.only_pod_with("app=client")?;
        let calls = Calls::of(pods.load_in(&client, "serve", &call)?);
        Ok(Self {
            pods,
            aggregator,
            agents,
            calls,
        })
    }

    fn id(&self, name: &str) -> String {
        format!("deployment:{}/{name}", self.pods.name)
    }

    fn graph(&self, query: &str) -> Result<Value> {
        let namespace = &self.pods.name;
        self.aggregator
            .reader()?
            .graph(&format!("namespaces={namespace}&ports={PORT}&{query}"))
    }

    /// The edge from the client to a workload, with the Service that was dialed.
    fn edge(&self, name: &str) -> Result<Edge> {
        let graph = self.graph("level=workload")?;
        let edges = graph["edges"].as_array().context("no edges")?;
        let id = self.id(name);
        for edge in edges.iter().filter(|edge| edge["server"] == id.as_str()) {
            let dialed = format!("{}/front:80", self.pods.name);
            ensure!(
                edge["dialed_services"] == serde_json::json!([dialed]),
                "{edge}"
            );
        }
        find(&from_json(&graph)?, &self.id("client"), &id, PORT)
    }

    fn served(&self, name: &str) -> Result<u64> {
        let edge = self.edge(name)?;
        Ok(edge
            .server_view
            .with_context(|| format!("{edge:?}"))?
            .opened)
    }

    /// All pods that are there now are in the graph as servers of the client, each on its node and as the workload's own.
    fn pods_are_right(&self, name: &str, count: usize) -> Result<()> {
        let pods = self.pods.pods_with(&format!("app={name}"))?;
        ensure!(pods.len() == count, "{pods:?}");
        let graph = self.graph("level=pod")?;
        let served: BTreeSet<String> = from_json(&graph)?
            .into_iter()
            .map(|edge| edge.server)
            .collect();
        let nodes = graph["nodes"].as_array().context("no nodes")?;
        for Pod { uid, node, .. } in &pods {
            let id = format!("pod:{uid}");
            ensure!(served.contains(&id), "{id} is not in {served:?}");
            let mut found = nodes.iter().filter(|node| node["id"] == id.as_str());
            let found = found.next().context("its node")?;
            ensure!(found["node"] == node.as_str(), "{found} is on {node}");
            ensure!(found["kubernetes_labels"]["app"] == name, "{found}");
        }
        Ok(())
    }

    /// Waits until the graph is right after a step, and goes on from what was counted before it, on the same edge.
    fn step(&self, what: &str, name: &str, count: usize, before: &Edge) -> Result<()> {
        let start = Instant::now();
        let opened = before.server_view.unwrap_or_default().opened;
        eventually(PATIENCE, what, || {
            self.pods_are_right(name, count)?;
            let edge = self.edge(name)?;
            ensure!(edge.id == before.id, "{edge:?} is not {before:?}");
            let now = edge.server_view.unwrap_or_default().opened;
            ensure!(now > opened, "{edge:?}");
            Ok(())
        })?;
        eprintln!("{what}: right after {} ms", start.elapsed().as_millis());
        Ok(())
    }

    /// Nobody but the workloads has an edge.
    fn strangers(&self) -> Result<()> {
        let known = ["client", "web", "other"].map(|name| self.id(name));
        let edges = from_json(&self.graph("level=workload")?)?;
        let is_known = |edge: &Edge| known.contains(&edge.client) && known.contains(&edge.server);
        ensure!(edges.iter().all(is_known), "{edges:#?}");
        Ok(())
    }
}

fn round(cluster: &Cluster) -> Result<()> {
    let mut scene = Scene::new(cluster)?;
    let pods = &scene.pods;
    let first = eventually(PATIENCE, "the first calls", || {
        scene.pods_are_right("web", 2)?;
        scene.edge("web")
    })?;

    pods.kubectl(&["rollout", "restart", "deployment/web"])?;
    pods.rolled_out("web")?;
    scene.step("a rollout", "web", 2, &first)?;
    for replicas in [10, 1] {
        let flag = format!("--replicas={replicas}");
        let before = scene.edge("web")?;
        pods.kubectl(&["scale", "deployment/web", &flag])?;
        pods.rolled_out("web")?;
        scene.step(&flag, "web", replicas, &before)?;
    }

    pods.kubectl(&["label", "pods", "--selector", "app=web", "tier=front"])?;
    let start = Instant::now();
    eventually(PATIENCE, "a new label", || {
        let graph = scene.graph("level=pod&selector=tier%3Dfront")?;
        let edges = from_json(&graph)?;
        let pod = pods.only_pod_with("app=web")?;
        let id = format!("pod:{}", pod.uid);
        ensure!(edges.len() == 1 && edges[0].server == id, "{edges:?}");
        Ok(())
    })?;
    eprintln!("a label: right after {} ms", start.elapsed().as_millis());

    let before = scene.edge("web")?;
    pods.kubectl(&["scale", "deployment/web", "--replicas=3"])?;
    pods.rolled_out("web")?;
    scene.step("three", "web", 3, &before)?;
    let drained = &cluster.nodes[1].name;
    let only = format!("--pod-selector=app=web,pod-template-hash={}", hash(pods)?);
    let before = scene.edge("web")?;
    cluster.alone(|| {
        // Only its own pods: those of others stay. Until the guard is dropped new ones do not come here either.
        let _cordoned = Cordoned(cluster, drained);
        cluster.kubectl(&["drain", drained, &only, "--timeout=50s"])?;
        pods.rolled_out("web")
    })?;
    scene.step("a node that is drained", "web", 3, &before)?;
    let left = pods.pods_with("app=web")?;
    ensure!(left.iter().all(|pod| pod.node != *drained), "{left:?}");

    pods.apply(&service("other"))?;
    let start = Instant::now();
    eventually(PATIENCE, "calls of the other workload", || {
        let served = scene.served("other")?;
        ensure!(served > 20, "only {served}");
        scene.pods_are_right("other", 1)
    })?;
    eprintln!("a selector: right after {} ms", start.elapsed().as_millis());

    scene.calls.end()?;
    scene.agents.iter().try_for_each(Agent::settle)?;
    let truth = scene.calls.all();
    eprintln!("the truth: {truth:?}");
    eventually(PATIENCE, "exact sums", || {
        scene.strangers()?;
        for (name, reply) in [("web", WEB), ("other", OTHER)] {
            let edge = scene.edge(name)?;
            let server = edge.server_view.context("no view")?;
            let known = truth.with_reply(reply);
            let expected = Counts {
                opened: known,
                closed: known,
                bytes_sent: known * REQUEST,
                bytes_received: known * reply,
                ..Counts::default()
            };
            // A pod that ends breaks a call, of which nobody knows more than that.
            let most = known + truth.broken;
            let fits = |found: u64, expected: u64, each: u64| {
                (expected..=expected + truth.broken * each).contains(&found)
            };
            ensure!(
                (known..=most).contains(&server.opened)
                    && fits(server.bytes_sent, expected.bytes_sent, REQUEST)
                    && fits(server.bytes_received, expected.bytes_received, reply),
                "{name}: {server:?} of {expected:?}, and {} broken",
                truth.broken
            );
        }
        Ok(())
    })
}

/// What the pods of the newest ReplicaSet have in common, and nobody else's.
fn hash(pods: &Namespace) -> Result<String> {
    let list = pods.get(&["pods", "--selector", "app=web"])?;
    let hash = list["items"][0]["metadata"]["labels"]["pod-template-hash"].as_str();
    Ok(hash.context("no hash")?.to_owned())
}

#[test]
fn the_graph_is_right_at_each_step() -> Result<()> {
    needs_root!("the graph is right at each step");
    let cluster = Cluster::obtain()?;
    in_clear_view(|| {
        let witness = Witness::start();
        Ok(Round {
            ended: round(&cluster),
            hidden: witness.hidden()?,
        })
    })
}
