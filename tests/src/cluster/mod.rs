//! The real Kubernetes of `cargo xtask cluster`: what a test sees of it, and what it owns there.
//!
//! [`Cluster::obtain`] → [`Namespace`] → manifests, pods; an aggregator on this machine ([`Cluster::aggregator`]), agents on the nodes
//! ([`Node::agent`]); workloads whose traffic is known ([`Deployment`]); programs of this workspace
//! as images ([`image`]). What would disturb the others has an API server of its own ([`ControlPlane`]), or waits for its turn
//! ([`Cluster::alone`]).

mod api_server;
pub mod calls;
pub mod control;
pub mod daemon_set;
mod deployment;
pub mod guestbook;
pub mod image;
mod namespace;
pub mod new_pod;
mod node;
pub mod owners;
pub mod packages;
mod relay;
pub mod stage;
mod static_pod;
mod turns;

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

pub use control::ControlPlane;
pub use deployment::{Deployment, LOAD, Load};
pub use namespace::{Namespace, Pod};
pub use node::Node;
pub use relay::Relay;
pub use stage::Stage;
pub use static_pod::StaticPod;
use turns::Turn;

use crate::product::{Agent, Aggregator, Outcome, program, run_once};

/// What `cargo xtask cluster up` writes of itself.
const DESCRIPTION: &str = "/var/lib/insight-cluster/cluster.json";

/// A cluster that is up.
#[derive(Debug)]
pub struct Cluster {
    /// For programs that ask the API server.
    pub kubeconfig: PathBuf,
    /// This machine as nodes and pods reach it.
    pub host: Ipv4Addr,
    /// Its nodes, in the order of their names.
    pub nodes: Vec<Node>,
    kubectl: PathBuf,
    turn: Turn,
}

impl Cluster {
    /// The one that is up, or one that is brought up now, which takes minutes when Kubernetes was never built here. It stays up: other
    /// tests use it too, and `cargo xtask test` takes it down.
    pub fn obtain() -> Result<Self> {
        // Tests of one program begin at once.
        static ONE: Mutex<()> = Mutex::new(());
        // Before anything is looked at: who is alone may have broken it for a moment.
        let turn = Turn::with_others()?;
        let _one = ONE.lock();
        if run_once(xtask(&["status"])?)?.code != Some(0) {
            let status = xtask(&["up"])?.status().context("run xtask")?;
            ensure!(status.success(), "'cargo xtask cluster up' failed");
        }
        let text =
            std::fs::read_to_string(DESCRIPTION).with_context(|| format!("read {DESCRIPTION}"))?;
        Self::read(&serde_json::from_str(&text)?, turn)
    }

    /// Does what disturbs the others when none of them uses the cluster; those that come wait. Keep it short.
    pub fn alone<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.turn.alone(work)
    }

    fn read(about: &Value, turn: Turn) -> Result<Self> {
        let path = |name: &str| about[name].as_str().map(PathBuf::from);
        let nodes = about["nodes"].as_array().context("no nodes")?;
        Ok(Self {
            kubeconfig: path("kubeconfig").context("no kubeconfig")?,
            kubectl: path("kubectl").context("no kubectl")?,
            host: about["host"][0].as_str().context("no host")?.parse()?,
            nodes: nodes.iter().map(Node::read).collect::<Result<_>>()?,
            turn,
        })
    }

    /// Runs kubectl and gives what it printed; an error when it fails.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.try_kubectl(args)?
            .stdout()
            .with_context(|| format!("kubectl {}", args.join(" ")))
    }

    /// Runs kubectl, however it ends.
    pub fn try_kubectl(&self, args: &[&str]) -> Result<Outcome> {
        run_once(self.command(args))
    }

    fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args);
        command
    }

    /// An aggregator on this machine that asks the API server, and an agent on each node.
    pub fn insight(&self) -> Result<(Aggregator, Vec<Agent>)> {
        let kubeconfig = self.kubeconfig.to_str().context("a path is text")?;
        let aggregator = self.aggregator(&["--kubernetes", kubeconfig])?;
        let agents = self.agents(&aggregator)?;
        Ok((aggregator, agents))
    }

    /// An agent on each node.
    pub fn agents(&self, aggregator: &Aggregator) -> Result<Vec<Agent>> {
        let nodes = self.nodes.iter();
        nodes
            .map(|node| node.agent(aggregator, &["--pin-dir", "off"]))
            .collect()
    }

    /// Applies manifests in a file of any kind; those of a namespace's own belong to [`Namespace::apply`].
    pub fn apply(&self, file: &Path) -> Result<()> {
        let file = file.to_str().context("a path is text")?;
        self.kubectl(&["apply", "-f", file]).map(drop)
    }

    /// Gets something as JSON: the words after `kubectl get`.
    pub fn get(&self, what: &[&str]) -> Result<Value> {
        let text = self.kubectl(&[&["get", "-o", "json"], what].concat())?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// An aggregator on this machine that agents on the nodes and in pods reach.
    pub fn aggregator(&self, flags: &[&str]) -> Result<Aggregator> {
        Aggregator::start_at(self.host, flags)
    }
}

/// `cargo xtask cluster` with these words.
fn xtask(words: &[&str]) -> Result<Command> {
    let mut command = Command::new(program("xtask")?);
    command.arg("cluster").args(words);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_description_is_read() {
        let about = json!({"kubeconfig": "/k", "kubectl": "/b/kubectl", "host": ["10.0.0.1", "fd00::1"],
            "nodes": [{"name": "a", "zone": "z", "addresses": ["10.0.0.2", "fd00::2"], "cgroup": "c/a",
                       "pods": ["10.1.0.0/24", "fd01::/64"], "static_pods": "/m"}]});
        let cluster = Cluster::read(&about, Turn::with_others().unwrap()).unwrap();
        assert_eq!(cluster.host, Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(cluster.nodes[0].address, Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(cluster.nodes[0].cgroup, Path::new("c/a"));
        assert!(Cluster::read(&json!({}), cluster.turn).is_err());
    }
}
