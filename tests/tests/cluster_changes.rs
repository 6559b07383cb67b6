//! The graph follows a workload that changes: its pods come and go, it stays itself.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::calls::Calls;
use insight_tests::cluster::{Cluster, Deployment, Load, Namespace, Pod, Stage};
use insight_tests::needs_root;
use insight_tests::reader::edge::{Counts, Edge, find, from_json};
use insight_tests::wait::{PATIENCE, eventually, pause};
use serde_json::Value;

/// Of the pods; one that the witness watches.
const PORT: u16 = 7083;
/// Bytes of a request, and of a reply of each workload.
const REQUEST: u64 = 64;
const WEB: u64 = 500;
const OTHER: u64 = 900;
/// How often an agent of the tests reports.
const INTERVAL: Duration = Duration::from_millis(500);

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
    stage: Stage<'a>,
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
        let stage = Stage::new(cluster)?;
        let pods = &stage.pods;
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
            .apply(pods)?;
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
        Ok(Self { stage, calls })
    }

    fn id(&self, name: &str) -> String {
        self.stage.id("deployment", name)
    }

    fn graph(&self, query: &str) -> Result<Value> {
        let namespace = &self.stage.pods.name;
        let query = format!("namespaces={namespace}&ports={PORT}&{query}");
        self.stage.graph(&query)
    }

    /// The edge from the client to a workload, with the Service that was dialed.
    fn edge(&self, name: &str) -> Result<Edge> {
        let graph = self.graph("level=workload")?;
        let edges = graph["edges"].as_array().context("no edges")?;
        let id = self.id(name);
        for edge in edges.iter().filter(|edge| edge["server"] == id.as_str()) {
            let dialed = format!("{}/front:80", self.stage.pods.name);
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
        let pods = self.stage.pods.pods_with(&format!("app={name}"))?;
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

    /// The graph is right two intervals after a step is done for everybody else, and goes on from what was counted before it, on the same edge.
    fn step(&self, what: &str, name: &str, count: usize, before: &Edge) -> Result<()> {
        self.all_serve(name, count)?;
        let opened = before.server_view.unwrap_or_default().opened;
        self.in_two_intervals(what, || {
            self.pods_are_right(name, count)?;
            let edge = self.edge(name)?;
            ensure!(edge.id == before.id, "{edge:?} is not {before:?}");
            let now = edge.server_view.unwrap_or_default().opened;
            ensure!(now > opened, "{edge:?}");
            Ok(())
        })
    }

    /// Waits until all of a workload's pods have served somebody, as they say themselves: until then the step is not done, whether kube-proxy has not heard
    /// of a pod yet or its turn has not come.
    fn all_serve(&self, name: &str, count: usize) -> Result<()> {
        let pods = &self.stage.pods;
        eventually(PATIENCE, "all pods to have served", || {
            let all = pods.pods_with(&format!("app={name}"))?;
            ensure!(all.len() == count, "{all:?}");
            for pod in &all {
                let log = pods.kubectl(&["logs", &pod.name, "--tail=2"])?;
                ensure!(log.contains("received"), "{} has not yet: {log}", pod.name);
            }
            Ok(())
        })
    }

    /// Something is so two intervals later: not when it is asked for again and again, but at the first look after each agent has collected twice more and the
    /// aggregator has acknowledged it. Agents collect early for a new flow, so both intervals must also have passed. On a busy machine both take longer, as do the
    /// agents and the watch that they give time to: so it is counted in intervals, and no clock says how long they were.
    fn in_two_intervals(&self, what: &str, is_so: impl FnOnce() -> Result<()>) -> Result<()> {
        pause(INTERVAL * 2);
        self.stage.settle()?;
        is_so().with_context(|| format!("two intervals after {what}"))
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
    let pods = &scene.stage.pods;
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
    scene.in_two_intervals("a new label", || {
        let graph = scene.graph("level=pod&selector=tier%3Dfront")?;
        let edges = from_json(&graph)?;
        let pod = pods.only_pod_with("app=web")?;
        let id = format!("pod:{}", pod.uid);
        ensure!(edges.len() == 1 && edges[0].server == id, "{edges:?}");
        Ok(())
    })?;

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
    scene.all_serve("other", 1)?;
    scene.in_two_intervals("a new selector", || {
        let served = scene.served("other")?;
        ensure!(served > 0, "nothing is served");
        scene.pods_are_right("other", 1)
    })?;

    scene.calls.end()?;
    scene.stage.settle()?;
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
    Cluster::in_clear_view(round)
}
