//! Two pods on one network, fit for many connections.

use std::cell::Cell;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cgroup::CgroupRoot;
use crate::net::Net;
use crate::pod::Pod;
use crate::product::{Agent, Aggregator};
use crate::wait::PATIENCE;

/// Export interval of the agents that are measured: the default.
pub(super) const INTERVAL: &str = "5s";

/// Server ports are taken from here up.
const FIRST_PORT: u16 = 2_000;

/// A client's end that closes first stays in TIME_WAIT for a minute and keeps its port. So clients take ports from nearly all
/// there are, and may take one again after a second (`tcp_tw_reuse`): a run must not end because ports do.
const ROOM_FOR_CLIENTS: &str = "set -e
echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range
echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse";

/// The pods, in the order in which they fall.
pub(super) struct World {
    pub(super) client: Pod,
    pub(super) server: Pod,
    pub(super) root: CgroupRoot,
    next_port: Cell<u16>,
    _net: Net,
}

impl World {
    pub(super) fn new() -> Result<Self> {
        let net = Net::new()?;
        let root = CgroupRoot::new()?;
        let (client, server) = (Pod::new(&net, &root)?, Pod::new(&net, &root)?);
        let mut shell = Command::new("sh");
        shell.args(["-c", ROOM_FOR_CLIENTS]);
        // The files below /proc/sys/net are those of the namespace of who opens them.
        client
            .spawn("sh", shell)?
            .finish(PATIENCE)
            .context("widen the client pod's ports")?;
        Ok(Self {
            client,
            server,
            root,
            next_port: Cell::new(FIRST_PORT),
            _net: net,
        })
    }

    /// Server ports that were not used before.
    pub(super) fn ports(&self, count: u16) -> Result<std::ops::Range<u16>> {
        let first = self.next_port.get();
        let end = first.checked_add(count).context("no ports are left")?;
        self.next_port.set(end);
        Ok(first..end)
    }

    /// Starts an agent that counts both pods.
    pub(super) fn agent(&self, aggregator: &Aggregator) -> Result<Agent> {
        self.agent_every(INTERVAL, aggregator)
    }

    /// Starts one that pins what it counts below a folder, as it does by default.
    pub(super) fn agent_pinned(&self, aggregator: &Aggregator, folder: &Path) -> Result<Agent> {
        Agent::pinned_every(aggregator, "bench", &self.root, INTERVAL, folder, &[])
    }

    /// Starts one with another interval.
    pub(super) fn agent_every(&self, interval: &str, aggregator: &Aggregator) -> Result<Agent> {
        Agent::start_with(aggregator, "bench", &self.root, interval)
    }

    /// The same with further flags.
    pub(super) fn agent_with(&self, aggregator: &Aggregator, flags: &[&str]) -> Result<Agent> {
        Agent::with_flags(aggregator, "bench", &self.root, INTERVAL, flags)
    }
}
