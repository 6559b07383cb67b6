//! The cluster is a real one, each node's pods are its own, and nothing of it leaves this machine.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use insight_tests::cgroup::Mounts;
use insight_tests::cluster::{Cluster, Namespace, Pod, image, packages};
use insight_tests::needs_root;
use insight_tests::outside::Outside;
use insight_tests::wait::{PATIENCE, eventually};

/// Two pods that serve files, `one` on the first node and `two` on the second, and a Service in front of the second.
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: two}
spec:
  selector: {app: two}
  ports: [{port: 80, targetPort: 8080}]
";
/// What their files say.
const CONTENT: &str = "root:x:0:0:root:/:/bin/sh";

struct Pair<'a> {
    namespace: Namespace<'a>,
    one: Pod,
    two: Pod,
}

impl<'a> Pair<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self> {
        let namespace = Namespace::new(cluster)?;
        let serve = ["httpd", "-f", "-p", "8080", "-h", "/etc"];
        for (name, node) in ["one", "two"].into_iter().zip(&cluster.nodes) {
            namespace.run(name, node, image::BUSYBOX, &serve)?;
        }
        namespace.apply(SERVICE)?;
        namespace.wait("Ready", &["pods", "--all"])?;
        Ok(Self {
            one: namespace.pod("one")?,
            two: namespace.pod("two")?,
            namespace,
        })
    }

    /// What the first pod gets from there.
    fn fetch(&self, host: &str) -> Result<()> {
        let url = format!("http://{host}/passwd");
        let text = self
            .namespace
            .exec("one", &["wget", "-q", "-O", "-", &url])?;
        ensure!(text.trim() == CONTENT, "{url} has {text:?}");
        Ok(())
    }
}

#[test]
fn both_nodes_are_ready_and_in_their_zones() -> Result<()> {
    needs_root!("both nodes are ready and in their zones");
    let cluster = Cluster::obtain()?;
    let list = cluster.get(&["nodes"])?;
    let nodes = list["items"].as_array().context("a list")?;
    ensure!(nodes.len() == 2 && cluster.nodes.len() == 2, "{list}");
    for (node, known) in nodes.iter().zip(&cluster.nodes) {
        ensure!(node["metadata"]["name"] == known.name.as_str(), "{node}");
        let zone = &node["metadata"]["labels"]["topology.kubernetes.io/zone"];
        ensure!(zone == known.zone.as_str(), "{zone}");
        let version = node["status"]["nodeInfo"]["kubeletVersion"].as_str();
        ensure!(
            version.is_some_and(|version| version.starts_with("v1.36.")),
            "{version:?}"
        );
        let conditions = node["status"]["conditions"].as_array().context("a list")?;
        let ready = |condition: &&serde_json::Value| condition["type"] == "Ready";
        let ready = conditions.iter().find(ready).context("no Ready")?;
        ensure!(ready["status"] == "True", "{ready}");
    }
    ensure!(cluster.nodes[0].zone != cluster.nodes[1].zone, "one zone");
    Ok(())
}

#[test]
fn pods_reach_each_other_over_nodes_by_address_service_and_name() -> Result<()> {
    needs_root!("pods reach each other over nodes");
    let cluster = Cluster::obtain()?;
    let pair = Pair::new(&cluster)?;
    for (pod, node) in [&pair.one, &pair.two].into_iter().zip(&cluster.nodes) {
        ensure!(pod.node == node.name, "{pod:?}");
        let address = pod.addresses[0].to_string();
        ensure!(address.starts_with(&node.pods_prefix), "{pod:?} {node:?}");
    }
    for address in &pair.two.addresses {
        pair.fetch(&match address {
            IpAddr::V4(address) => format!("{address}:8080"),
            IpAddr::V6(address) => format!("[{address}]:8080"),
        })?;
    }
    ensure!(pair.two.addresses.len() == 2, "no IPv6: {:?}", pair.two);
    let service = pair.namespace.get(&["service", "two"])?;
    let address = service["spec"]["clusterIP"]
        .as_str()
        .context("an address")?;
    // kube-proxy and CoreDNS need a moment to know of it.
    eventually(PATIENCE, "the Service", || pair.fetch(address))?;
    eventually(PATIENCE, "its name", || pair.fetch("two"))
}

/// The cgroups in which a pod's name is found, below the node's, in the v2 hierarchy.
fn cgroups_of(pod: &Pod, node_cgroup: &Path) -> Result<Vec<PathBuf>> {
    let top = Mounts::read()?.unified.join(node_cgroup);
    let mut found = Vec::new();
    let mut next = vec![top];
    while let Some(folder) = next.pop() {
        for entry in fs::read_dir(&folder)?.flatten() {
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if entry.file_name().to_string_lossy().contains(&pod.uid) {
                    found.push(path.clone());
                }
                next.push(path);
            }
        }
    }
    Ok(found)
}

#[test]
fn a_pod_is_in_its_nodes_cgroup_and_in_no_other() -> Result<()> {
    needs_root!("a pod is in its node's cgroup");
    let cluster = Cluster::obtain()?;
    let pair = Pair::new(&cluster)?;
    for (pod, at) in [(&pair.one, 0), (&pair.two, 1)] {
        let own = cgroups_of(pod, &cluster.nodes[at].cgroup)?;
        ensure!(own.len() == 1, "{pod:?} is in {own:?}");
        let container = own[0].join(&pod.containers[0]);
        let procs = container.join("cgroup.procs");
        let processes =
            fs::read_to_string(&procs).with_context(|| format!("read {}", procs.display()))?;
        ensure!(processes.lines().count() == 1, "its server: {processes}");
        let others = cgroups_of(pod, &cluster.nodes[1 - at].cgroup)?;
        ensure!(others.is_empty(), "{pod:?} is in {others:?}");
    }
    Ok(())
}

#[test]
fn a_node_sees_its_own_pods_and_its_own_network() -> Result<()> {
    needs_root!("a node sees its own pods and its own network");
    let cluster = Cluster::obtain()?;
    let pair = Pair::new(&cluster)?;
    let script = "find /sys/fs/cgroup -name 'pod*'; ip -br -4 address";
    for (pod, at) in [(&pair.one, 0), (&pair.two, 1)] {
        let node = &cluster.nodes[at];
        let seen = insight_tests::product::run_once(node.command(&["sh", "-c", script])?)?;
        let seen = seen.stdout()?;
        ensure!(seen.contains(&pod.uid), "{seen}");
        ensure!(seen.contains(&node.address.to_string()), "{seen}");
        let other = if at == 0 { &pair.two } else { &pair.one };
        ensure!(!seen.contains(&other.uid), "{seen}");
    }
    Ok(())
}

/// What demo workloads are made of: a server from Debian, asked over the nodes by its own client.
#[test]
fn a_real_server_comes_from_packages() -> Result<()> {
    needs_root!("a real server comes from packages");
    let cluster = Cluster::obtain()?;
    packages::image_of("redis:test", "redis-server", &["/usr/bin/redis-server"])?;
    let namespace = Namespace::new(&cluster)?;
    let serve = [
        "redis-server",
        "--bind",
        "0.0.0.0",
        "--protected-mode",
        "no",
        "--save",
        "",
    ];
    namespace.run("leader", &cluster.nodes[0], "redis:test", &serve)?;
    let idle = [
        "/usr/bin/redis-server",
        "--port",
        "0",
        "--unixsocket",
        "/tmp/none",
        "--save",
        "",
    ];
    namespace.run("client", &cluster.nodes[1], "redis:test", &idle)?;
    namespace.wait("Ready", &["pods", "--all"])?;
    let leader = namespace.pod("leader")?.addresses[0].to_string();
    let ask = |words: &[&str]| {
        let client = ["redis-cli", "-h", &leader];
        namespace.exec("client", &[&client, words].concat())
    };
    eventually(PATIENCE, "redis", || {
        let answer = ask(&["SET", "key", "value"])?;
        ensure!(answer.trim() == "OK", "{answer}");
        Ok(())
    })?;
    let answer = ask(&["GET", "key"])?;
    ensure!(answer.trim() == "value", "{answer}");
    Ok(())
}

/// A machine beyond this one, with forwarding on: what is sent there must end at the wall. Nothing else here would stop it, which
/// the answer to this machine itself shows.
#[test]
fn nothing_reaches_the_outside() -> Result<()> {
    needs_root!("nothing reaches the outside");
    let cluster = Cluster::obtain()?;
    let pair = Pair::new(&cluster)?;
    let outside = Outside::new()?;
    ensure!(
        outside.answers(),
        "the outside does not answer even this machine"
    );
    let before = outside.received()?;
    let connect = ["nc", "-w", "2", &outside.address.to_string(), "80"];
    for pod in [&pair.one, &pair.two] {
        let ended = pair.namespace.try_exec(&pod.name, &connect)?;
        let text = format!("{}{}", ended.stdout, ended.stderr);
        ensure!(
            ended.code != Some(0) && text.contains("timed out"),
            "{ended:?}"
        );
    }
    let mut from_node = vec!["busybox"];
    from_node.extend(connect);
    let ended = insight_tests::product::run_once(cluster.nodes[0].command(&from_node)?)?;
    ensure!(ended.stderr.contains("timed out"), "{ended:?}");
    ensure!(
        outside.received()? == before,
        "packets have reached the outside"
    );
    // An address of no Service.
    let nowhere = ["nc", "-w", "2", "10.96.77.77", "80"];
    let ended = pair.namespace.try_exec("one", &nowhere)?;
    ensure!(ended.code != Some(0), "{ended:?}");
    Ok(())
}
