//! What kubelet's cAdvisor says of each container, we say too: the same labels, the same CPU time, the same memory.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use insight_proto::v1;
use insight_tests::cluster::{Cluster, Namespace, image};
use insight_tests::needs_root;
use insight_tests::product::Aggregator;
use insight_tests::reader::grpc::at_level;
use insight_tests::reader::{http, metrics};
use insight_tests::wait::{PATIENCE, eventually};

const IMAGE: &str = "insight-load:oracle";
const CPU: &str = "container_cpu_usage_seconds_total";
const MEMORY: &str = "container_memory_working_set_bytes";
/// What each consumer uses: seconds of CPU time, bytes of memory.
const SECONDS: f64 = 2.0;
const BYTES: f64 = (64 << 20) as f64;
/// What a container that is idle may use between two readings: a few wakeups; a few pages of its runtime.
const CPU_SLACK: f64 = 0.02;
const MEMORY_SLACK: f64 = (1 << 20) as f64;
/// Labels that both have. Ours also have `node` and `unit`.
const LABELS: [&str; 6] = ["container", "id", "image", "name", "namespace", "pod"];

/// A sample of cAdvisor.
#[derive(Debug)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Samples of a family, with labels as `name="value"`, whose values have no quotes here.
fn samples(text: &str, family: &str, namespace: &str) -> Result<Vec<Sample>> {
    let of_family = text
        .lines()
        .filter_map(|line| line.strip_prefix(family)?.strip_prefix('{'));
    let own = format!("namespace=\"{namespace}\"");
    of_family
        .filter(|line| line.contains(&own))
        .map(|line| {
            let (labels, rest) = line.rsplit_once('}').context("no labels")?;
            let pair = |pair: &str| {
                let (name, value) = pair.split_once('=')?;
                Some((name.to_owned(), value.trim_matches('"').to_owned()))
            };
            let value = rest.split_whitespace().next().context("no value")?;
            Ok(Sample {
                labels: labels.split(',').filter_map(pair).collect(),
                value: value.parse()?,
            })
        })
        .collect()
}

/// A consumer on each node; it stays once it has used what it shall, because its standard input is open.
fn consumers(cluster: &Cluster, namespace: &Namespace) -> Result<()> {
    image::of_program(IMAGE, "insight-load")?;
    for node in &cluster.nodes {
        let (name, cpu) = (&node.name, SECONDS * 1e3);
        namespace.apply(&format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: on-{name}}}
spec:
  nodeName: {name}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
    - name: consumer
      image: localhost/{IMAGE}
      imagePullPolicy: Never
      stdin: true
      command: [/insight-load, consume, --memory, \"{BYTES}\", --cpu-ms, \"{cpu}\"]
"
        ))?;
    }
    namespace.wait("Ready", &["pods", "--all"])?;
    eventually(PATIENCE, "the consumers", || {
        for node in &cluster.nodes {
            let log = namespace.kubectl(&["logs", &format!("on-{}", node.name)])?;
            ensure!(log.contains("cpu_ms"), "on {}: {log:?}", node.name);
        }
        Ok(())
    })
}

/// Each of cAdvisor's samples has one of ours with the same labels and, when both were read after the work, the same value.
fn compare(
    theirs: &str,
    ours: &str,
    family: &str,
    slack: f64,
    namespace: &Namespace,
    node: &str,
) -> Result<Vec<(f64, f64)>> {
    let theirs = samples(theirs, family, &namespace.name)?;
    // The pod, its sandbox and its container.
    ensure!(theirs.len() == 3, "cAdvisor has {theirs:?}");
    let image = format!("localhost/{IMAGE}");
    let mut both = Vec::new();
    for sample in theirs {
        let is_sandbox = sample.labels["container"].is_empty() && !sample.labels["name"].is_empty();
        let mut labels: Vec<String> = LABELS
            .iter()
            .map(|label| {
                let value = match *label {
                    // The API does not tell of sandboxes' images.
                    "image" if is_sandbox => "",
                    // Of the names that an image has, cAdvisor gives any, and we the pod's.
                    "image" if !sample.labels["image"].is_empty() => &image,
                    label => &sample.labels[label],
                };
                format!("{label}=\"{value}\"")
            })
            .collect();
        labels.push(format!("node=\"{node}\""));
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let our = metrics::sample(ours, family, &labels)?;
        ensure!(
            (our - sample.value).abs() <= slack,
            "{family}: we say {our}, cAdvisor {sample:?}"
        );
        both.push((our, sample.value));
    }
    Ok(both)
}

/// The graph's node of the pod has what the pod used.
fn graph_agrees(aggregator: &Aggregator, namespace: &Namespace, pod: &str) -> Result<()> {
    let uid = namespace.pod(pod)?.uid;
    let query = v1::GraphQuery {
        unconnected: true,
        ..at_level("pod")
    };
    let graph = aggregator.reader()?.grpc.graph(query)?;
    let id = format!("pod:{uid}");
    let node = graph.nodes.iter().find(|node| node.id == id);
    let node = node.with_context(|| format!("no {pod}"))?;
    let metrics = node.metrics.context("no metrics")?;
    let cpu = metrics.cpu_usage_seconds_total.context("no CPU")?;
    let memory = metrics.memory_working_set_bytes.context("no memory")? as f64;
    ensure!(
        node.name == pod && node.namespace == namespace.name,
        "{node:?}"
    );
    ensure!(cpu >= SECONDS && memory >= BYTES, "{node:?}");
    Ok(())
}

#[test]
fn containers_have_the_labels_and_the_values_that_kubelet_gives_them() -> Result<()> {
    needs_root!("containers have the values that kubelet gives them");
    let cluster = Cluster::obtain()?;
    let kubeconfig = cluster.kubeconfig.to_str().context("a path is text")?;
    let aggregator = cluster.aggregator(&["--kubernetes", kubeconfig])?;
    let mut agents = Vec::new();
    for node in &cluster.nodes {
        agents.push(node.agent(&aggregator, &["--pin-dir", "off"])?);
    }
    let namespace = Namespace::new(&cluster)?;
    consumers(&cluster, &namespace)?;
    for node in &cluster.nodes {
        let pod = format!("on-{}", node.name);
        let path = format!("/api/v1/nodes/{}/proxy/metrics/cadvisor", node.name);
        // kubelet reads each container every 10 to 15 seconds.
        let both = eventually(PATIENCE, "cAdvisor to say what we say", || {
            let theirs = cluster.kubectl(&["get", "--raw", &path])?;
            let ours = http::get_ok(aggregator.http_port, "/metrics")?;
            let with =
                |family, slack| compare(&theirs, &ours, family, slack, &namespace, &node.name);
            Ok([with(CPU, CPU_SLACK)?, with(MEMORY, MEMORY_SLACK)?])
        })?;
        println!(
            "{pod}: ours and cAdvisor's, of pod, sandbox, container: CPU seconds, memory bytes {both:?}"
        );
        for (values, least) in both.iter().zip([SECONDS, BYTES]) {
            let whole = values.iter().filter(|(our, _)| *our >= least).count();
            ensure!(
                whole == 2,
                "a pod and its container use {least}: {values:?}"
            );
        }
        graph_agrees(&aggregator, &namespace, &pod)?;
    }
    Ok(())
}
