//! A node of the cluster: namespaces of this machine.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::xtask;
use crate::product::{Agent, Aggregator, free_port, program};
use crate::wait::{PATIENCE, eventually};

/// One of them.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Its address: kubelet's, and that of pods with `hostNetwork`.
    pub address: Ipv4Addr,
    /// How its pods' addresses begin, with the dot at the end.
    pub pods_prefix: String,
    /// Its cgroup, below each hierarchy's mount as this machine has it.
    pub cgroup: PathBuf,
    /// Its kubelet runs the pods whose manifests are in this folder.
    pub static_pods: PathBuf,
}

impl Node {
    pub(super) fn read(about: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
        let pods = text(&about["pods"][0])?;
        let prefix = pods.strip_suffix("0/24").context("pods have a /24")?;
        Ok(Self {
            name: text(&about["name"])?,
            zone: text(&about["zone"])?,
            address: text(&about["addresses"][0])?.parse()?,
            pods_prefix: prefix.to_owned(),
            cgroup: text(&about["cgroup"])?.into(),
            static_pods: text(&about["static_pods"])?.into(),
        })
    }

    /// A command that runs on the node outside of all pods: in its namespaces and its own processes' cgroup. What it executes is in a
    /// folder that node and machine share: /run and /var are the node's own.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        xtask(&[&["enter", &self.name, "--"], words].concat())
    }

    /// Lets the next pod of the node have this address, unless somebody else's pod is quicker. Waits until no pod has it.
    pub fn offer(&self, address: Ipv4Addr) -> Result<()> {
        // What the CNI plugin host-local keeps: a file for each address, and which it gave last; it goes on from there.
        let var = self.static_pods.ancestors().nth(3);
        let networks = var
            .context("static pods are in /var/lib")?
            .join("lib/cni/networks");
        let mut folders =
            fs::read_dir(&networks).with_context(|| format!("read {}", networks.display()))?;
        let folder = folders.next().context("a network of pods")??.path();
        eventually(PATIENCE, &format!("{address} to be free"), || {
            ensure!(!folder.join(address.to_string()).exists(), "it is in use");
            Ok(())
        })?;
        let before = Ipv4Addr::from_bits(address.to_bits() - 1);
        let path = folder.join("last_reserved_ip.0");
        fs::write(&path, before.to_string()).with_context(|| format!("write {}", path.display()))
    }

    /// An agent on the node: a process of the node's own that counts the node's cgroups. Reports every 500 ms.
    pub fn agent(&self, aggregator: &Aggregator, flags: &[&str]) -> Result<Agent> {
        let xtask = program("xtask")?;
        let xtask = xtask.to_str().context("a path is text")?;
        let starter = [xtask, "cluster", "enter", &self.name, "--"];
        let http = SocketAddr::from((self.address, free_port()?));
        Agent::on_node(&starter, aggregator, &self.name, http, flags)
    }
}
