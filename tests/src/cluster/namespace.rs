//! A Kubernetes namespace of a test's own.

use std::io::Write;
use std::net::IpAddr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::{Cluster, Node};
use crate::ids;
use crate::product::Outcome;
use crate::wait::{PATIENCE, eventually};

/// `insight-test-<pid>-<n>`; removed with all that is in it when dropped.
pub struct Namespace<'a> {
    /// Its name.
    pub name: String,
    cluster: &'a Cluster,
}

/// A pod as the API server has it.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The name of its node.
    pub node: String,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// The ids of its containers, in the order of their names' appearance in the status, without `containerd://`.
    pub containers: Vec<String>,
}

impl<'a> Namespace<'a> {
    /// Makes one.
    pub fn new(cluster: &'a Cluster) -> Result<Self> {
        let name = format!("insight-test-{}", ids::suffix());
        cluster.kubectl(&["create", "namespace", &name])?;
        Ok(Self { name, cluster })
    }

    /// Applies manifests, in it unless they say otherwise.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        let mut file = NamedTempFile::with_suffix(".yaml")?;
        file.write_all(manifests.as_bytes())?;
        let path = file.path().to_str().context("a path is text")?;
        self.kubectl(&["apply", "-f", path]).map(drop)
    }

    /// Runs kubectl in it.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        let place = ["--namespace", self.name.as_str()];
        self.cluster.kubectl(&[&place, args].concat())
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let place = ["--namespace", self.name.as_str()];
        self.cluster.command([&place, args].concat())
    }

    /// Gets something of it as JSON: the words after `kubectl get`.
    pub fn get(&self, what: &[&str]) -> Result<Value> {
        self.cluster
            .get(&[&["--namespace", self.name.as_str()], what].concat())
    }

    /// A pod with one container, on this node, that runs a command of an image. It dies at once when it is deleted.
    pub fn run(&self, name: &str, node: &Node, image: &str, command: &[&str]) -> Result<()> {
        let command = serde_json::to_string(command)?;
        let node = &node.name;
        self.apply(&format!(
            "apiVersion: v1\n\
             kind: Pod\n\
             metadata:\n  name: {name}\n  labels: {{app: {name}}}\n\
             spec:\n  nodeName: {node}\n  terminationGracePeriodSeconds: 0\n  containers:\n    \
             - name: main\n      image: localhost/{image}\n      imagePullPolicy: Never\n      command: {command}\n"
        ))
    }

    /// Waits for a condition of what the words select, as `kubectl wait` has it: `Ready`, `Available`.
    pub fn wait(&self, condition: &str, what: &[&str]) -> Result<()> {
        let condition = format!("--for=condition={condition}");
        let args = [&["wait", &condition, "--timeout=50s"], what].concat();
        // It fails at once where nothing is selected yet.
        eventually(PATIENCE, &format!("{what:?}"), || self.kubectl(&args)).map(drop)
    }

    /// Runs a command in a pod, and gives what it printed.
    pub fn exec(&self, pod: &str, command: &[&str]) -> Result<String> {
        let shown = format!("{command:?} in {pod}");
        self.try_exec(pod, command)?.stdout().context(shown)
    }

    /// Runs a command in a pod, however it ends.
    pub fn try_exec(&self, pod: &str, command: &[&str]) -> Result<Outcome> {
        let place = ["--namespace", self.name.as_str(), "exec", pod, "--"];
        self.cluster.try_kubectl(&[&place, command].concat())
    }

    /// Its pods; an error while one has no address yet.
    pub fn pods(&self) -> Result<Vec<Pod>> {
        let list = self.get(&["pods"])?;
        let items = list["items"].as_array().context("no list of pods")?;
        items.iter().map(Pod::read).collect()
    }

    /// One of its pods.
    pub fn pod(&self, name: &str) -> Result<Pod> {
        Pod::read(&self.get(&["pod", name])?)
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        // First what would make pods again, then they: their traffic must not outlive the test. What is left goes by itself.
        let removed = self
            .cluster
            .kubectl(&["delete", "namespace", &self.name, "--wait=false"])
            .and_then(|_| self.kubectl(&["delete", "pods", "--all", "--grace-period=1"]));
        if let Err(error) = removed {
            eprintln!("left behind: {error:#}");
        }
    }
}

impl Pod {
    pub(super) fn read(pod: &Value) -> Result<Self> {
        let text = |pointer: &str| {
            let value = pod.pointer(pointer).and_then(Value::as_str);
            value
                .map(str::to_owned)
                .with_context(|| format!("no {pointer} in {pod}"))
        };
        let list = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array);
        let addresses = list("/status/podIPs").context("it has no address yet")?;
        let addresses = addresses
            .iter()
            .filter_map(|address| address["ip"].as_str())
            .map(|address| address.parse().context("an address"));
        let containers = list("/status/containerStatuses").into_iter().flatten();
        let containers: Vec<String> = containers
            .filter_map(|status| {
                status["containerID"]
                    .as_str()?
                    .strip_prefix("containerd://")
            })
            .map(str::to_owned)
            .collect();
        ensure!(!containers.is_empty(), "it has no container yet");
        Ok(Self {
            name: text("/metadata/name")?,
            uid: text("/metadata/uid")?,
            node: text("/spec/nodeName")?,
            addresses: addresses.collect::<Result<_>>()?,
            containers,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_read_once_it_has_addresses_and_containers() {
        let mut pod = json!({"metadata": {"name": "p", "uid": "u"}, "spec": {"nodeName": "n"},
            "status": {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                       "containerStatuses": [{"containerID": "containerd://abc"}]}});
        let read = Pod::read(&pod).unwrap();
        assert_eq!(read.containers, ["abc"]);
        assert_eq!(read.addresses.len(), 2);
        pod["status"] = json!({"podIPs": [{"ip": "10.0.0.1"}]});
        assert!(Pod::read(&pod).is_err());
    }
}
