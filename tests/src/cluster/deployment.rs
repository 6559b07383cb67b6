//! Workloads whose traffic is known: `insight-load` in the pods of a Deployment.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use super::{Namespace, Node, Pod, image};
use crate::process::{Place, Process};
use crate::wait::{PATIENCE, eventually};

/// The image of `insight-load`, once [`Load::image`] was called.
pub const LOAD: &str = "insight-load:test";

/// What runs in a container.
#[derive(Clone, Debug)]
pub struct Load {
    /// The container's name.
    pub name: &'static str,
    /// The command line of `insight-load`.
    pub args: String,
}

impl Load {
    /// Gives all nodes the image.
    pub fn image() -> Result<()> {
        image::of_program(LOAD, "insight-load")
    }

    /// A server on all addresses that answers every request with so many bytes, and tells each connection.
    pub fn serve(port: u16, reply: u64) -> Self {
        Self {
            name: "serve",
            args: format!("server --listen [::]:{port} --reply {reply} --tell"),
        }
    }

    /// A client that calls for ever, or until it is deleted.
    pub fn call(to: SocketAddr, send: u64, every_ms: u64) -> Self {
        Self {
            name: "call",
            args: format!("call --to {to} --send {send} --every-ms {every_ms}"),
        }
    }

    /// A client that calls so often, and then stays.
    pub fn call_times(to: SocketAddr, send: u64, every_ms: u64, times: u64) -> Self {
        let mut call = Self::call(to, send, every_ms);
        call.args += &format!(" --times {times}");
        call
    }

    /// The same in a container of another name.
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// As an entry of a pod's `containers`.
    pub fn container(&self) -> Result<String> {
        let words: Vec<&str> = ["/insight-load"]
            .into_iter()
            .chain(self.args.split(' '))
            .collect();
        let (name, command) = (self.name, serde_json::to_string(&words)?);
        // With an input that nobody ends.
        Ok(format!(
            "{{name: {name}, image: \"localhost/{LOAD}\", imagePullPolicy: Never, stdin: true, command: {command}}}"
        ))
    }
}

/// A Deployment; its pods have the label `app: NAME` and end within a second.
#[derive(Clone, Debug)]
pub struct Deployment<'a> {
    /// Its name.
    pub name: &'a str,
    /// The node of all its pods; none: the scheduler chooses.
    pub node: Option<&'a Node>,
    /// Pods.
    pub replicas: u32,
    /// Its containers.
    pub loads: &'a [Load],
}

impl Deployment<'_> {
    /// Makes it, or changes it to this.
    pub fn apply(&self, namespace: &Namespace) -> Result<()> {
        let (name, replicas) = (self.name, self.replicas);
        let loads: Vec<String> = self
            .loads
            .iter()
            .map(Load::container)
            .collect::<Result<_>>()?;
        let node = self
            .node
            .map_or(String::new(), |node| format!("nodeName: {}, ", node.name));
        namespace.apply(&format!(
            "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{{node}terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, containers: [{}]}}
",
            loads.join(", ")
        ))
    }
}

impl Namespace<'_> {
    /// A workload with one pod, which is ready.
    pub fn deploy(&self, name: &str, node: &Node, loads: &[Load]) -> Result<Pod> {
        let deployment = Deployment {
            name,
            node: Some(node),
            replicas: 1,
            loads,
        };
        deployment.apply(self)?;
        self.rolled_out(name)?;
        self.only_pod_with(&format!("app={name}"))
    }

    /// Waits until all of a Deployment's pods are new and ready, and none is left of those before.
    pub fn rolled_out(&self, deployment: &str) -> Result<()> {
        let name = format!("deployment/{deployment}");
        let what = ["rollout", "status", &name, "--timeout=50s"];
        eventually(PATIENCE, &name, || self.kubectl(&what)).map(drop)
    }

    /// The pods with a label, such as `app=web`; an error while one has no address yet, or is about to end.
    pub fn pods_with(&self, label: &str) -> Result<Vec<Pod>> {
        let list = self.get(&["pods", "--selector", label])?;
        let items = list["items"].as_array().context("no list of pods")?;
        let ending = items
            .iter()
            .find(|pod| !pod["metadata"]["deletionTimestamp"].is_null());
        ensure!(ending.is_none(), "{ending:?} is about to end");
        items.iter().map(Pod::read).collect()
    }

    /// The only pod with a label, once there is one with an address.
    pub fn only_pod_with(&self, label: &str) -> Result<Pod> {
        eventually(PATIENCE, &format!("one pod with {label}"), || {
            let pods = self.pods_with(label)?;
            ensure!(pods.len() == 1, "{pods:?}");
            Ok(pods[0].clone())
        })
    }

    /// `insight-load` in a running container, with its input and output here; the container ends it if this test does not.
    pub fn load_in(&self, pod: &Pod, container: &str, args: &str) -> Result<Process> {
        let place = ["exec", "-i", &pod.name, "-c", container, "--"];
        let words: Vec<&str> = args.split(' ').collect();
        let command = self.command(&[&place[..], &["/insight-load"], &words].concat());
        Process::start("insight-load in a pod", command, Place::default())
    }
}
