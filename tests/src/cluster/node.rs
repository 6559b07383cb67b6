//! A node of the cluster: namespaces of this machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::xtask;
use crate::product::{Agent, Aggregator, free_port, program};

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
        })
    }

    /// A command that runs on the node outside of all pods: in its namespaces and its own processes' cgroup. What it executes is in a
    /// folder that node and machine share: /run and /var are the node's own.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        xtask(&[&["enter", &self.name, "--"], words].concat())
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
