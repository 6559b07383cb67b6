//! Whatever runs in a pod is called by its container's name, also what is over before the pod begins, and what comes later.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::calls::told;
use insight_tests::cluster::stage::node_of;
use insight_tests::cluster::{Cluster, LOAD, Load, Stage};
use insight_tests::load::tally::Tally;
use insight_tests::needs_root;
use insight_tests::reader::edge::{Counts, Edge, find, from_json};
use insight_tests::wait::{PATIENCE, eventually};

/// One that the witness watches.
const PORT: u16 = 7085;
const REPLY: u64 = 600;
const EVERY_MS: u64 = 40;
/// Each container with its connections and the bytes of each request.
const CALLERS: [(&str, u64, u64); 4] = [
    ("before", 7, 101),
    ("beside", 23, 211),
    ("main", 31, 307),
    ("later", 13, 401),
];

/// What `insight-load` does as a container that ends when it is done.
fn client(to: SocketAddr, connections: u64, send: u64) -> String {
    format!(
        "client --to {to} --connections {connections} --send {send} --receive {REPLY} --rate 25"
    )
}

/// A pod with an init container, a sidecar and a container; the fourth is added when they have begun.
fn start(stage: &Stage, to: SocketAddr) -> Result<()> {
    let [(before, times, send), beside, main, later] = CALLERS;
    let before = Load {
        name: before,
        args: client(to, times, send),
    };
    let [beside, main] = [beside, main]
        .map(|(name, times, send)| Load::call_times(to, send, EVERY_MS, times).named(name));
    let node = &stage.cluster.nodes[0].name;
    let sidecar = beside
        .container()?
        .replacen('{', "{restartPolicy: Always, ", 1);
    stage.pods.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: many}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  initContainers: [{}, {sidecar}]
  containers: [{}]
",
        before.container()?,
        main.container()?
    ))?;
    stage.pods.wait("Ready", &["pod/many"])?;
    let (name, times, send) = later;
    let (image, container) = (format!("--image=localhost/{LOAD}"), format!("-c={name}"));
    let debug = ["debug", "many", &container, &image];
    let flags = ["--image-pull-policy=Never", "--profile=general", "--"];
    let words = client(to, times, send);
    let command: Vec<&str> = ["/insight-load"]
        .into_iter()
        .chain(words.split(' '))
        .collect();
    let words = [&debug[..], &flags, &command].concat();
    stage.pods.kubectl(&words).map(drop)
}

/// The ids of all containers of a pod by their names, and its UID.
fn ids(stage: &Stage) -> Result<(BTreeMap<String, String>, String)> {
    let pod = stage.pods.get(&["pod", "many"])?;
    let of = |list: &str| pod["status"][list].as_array().into_iter().flatten();
    let all = of("initContainerStatuses")
        .chain(of("containerStatuses"))
        .chain(of("ephemeralContainerStatuses"));
    let mut ids = BTreeMap::new();
    for status in all {
        let text = |name: &str| status[name].as_str().with_context(|| status.to_string());
        let id = text("containerID")?.trim_start_matches("containerd://");
        ids.insert(text("name")?.to_owned(), id.to_owned());
    }
    let uid = pod["metadata"]["uid"].as_str().context("no UID")?;
    Ok((ids, format!("pod:{uid}")))
}

/// Each container has its own edge by its own name, with what it did and nothing else.
fn each_is_named(
    stage: &Stage,
    server: &str,
    ids: &BTreeMap<String, String>,
    truth: &BTreeMap<&str, Tally>,
) -> Result<()> {
    let graph = stage.graph(&format!("level=container&ports={PORT}"))?;
    let edges = from_json(&graph)?;
    ensure!(edges.len() == CALLERS.len(), "{edges:#?}");
    for (name, tally) in truth {
        let id = format!("container:{}", ids[*name]);
        let edge = find(&edges, &id, server, PORT)?;
        ensure!(
            edge.client_view == Some(Counts::finished(tally)),
            "{name}: {edge:?} of {tally:?}"
        );
        // To the server all containers of the pod are one address.
        ensure!(edge.server_view.is_none(), "{edge:?}");
        let node = node_of(&graph, &id)?;
        let shown = (
            &node["name"],
            &node["labels"]["container"],
            &node["namespace"],
        );
        let pod = format!("many/{name}");
        ensure!(
            shown.0 == &pod && shown.1 == name && shown.2 == &stage.pods.name,
            "{node}"
        );
    }
    Ok(())
}

#[test]
fn each_container_of_a_pod_is_named() -> Result<()> {
    needs_root!("each container of a pod is named");
    Cluster::in_clear_view(|cluster| {
        let stage = Stage::new(cluster)?;
        let server = stage.deploy("server", &cluster.nodes[1], &[Load::serve(PORT, REPLY)])?;
        start(&stage, SocketAddr::from((server.addresses[0], PORT)))?;
        let mut truth = BTreeMap::new();
        for (name, times, _) in CALLERS {
            truth.insert(name, told(&stage.pods, "many", name, times)?);
        }
        eprintln!("the truth: {truth:?}");
        stage.settle()?;
        let (ids, pod) = ids(&stage)?;
        let server = format!("container:{}", server.containers[0]);
        eventually(PATIENCE, "each container's edge", || {
            each_is_named(&stage, &server, &ids, &truth)
        })?;
        let all = truth
            .values()
            .fold(Tally::default(), |sum, tally| sum + *tally);
        let edges = stage.edges(&format!("level=workload&ports={PORT}"))?;
        let [edge]: [Edge; 1] = edges
            .try_into()
            .map_err(|edges| anyhow::anyhow!("{edges:#?}"))?;
        let ends = (edge.client.as_str(), edge.server.as_str());
        ensure!(
            ends == (&pod, &stage.id("deployment", "server")),
            "{edge:?}"
        );
        edge.expect_both(&Counts::finished(&all))
    })
}
