//! One service of the demo.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::cgroup::{Cgroup, CgroupRoot};
use crate::net::{Addresses, Namespace, Net};
use crate::process::{Place, Process};
use crate::traffic::load;

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(10);

/// A cgroup named like a systemd unit, and a network namespace.
pub(super) struct Service {
    name: &'static str,
    pub(super) addresses: Addresses,
    namespace: Namespace,
    cgroup: Cgroup,
}

impl Service {
    /// Makes it on `net`, below `root`.
    pub(super) fn new(name: &'static str, net: &Net, root: &CgroupRoot) -> Result<Self> {
        let cgroup = root.make(&format!("system.slice/{name}.service"))?;
        let namespace = Namespace::new()?;
        let addresses = net.attach(&namespace)?;
        Ok(Self {
            name,
            addresses,
            namespace,
            cgroup,
        })
    }

    /// Starts a server and waits until it listens.
    pub(super) fn serve(&self, port: u16) -> Result<Process> {
        let listen = format!("[::]:{port}");
        let what = format!("listens on port {port}");
        let mut process = self.run(&what, load(["server", "--listen", &listen])?)?;
        process.line(START)?;
        Ok(process)
    }

    /// Starts a program and says what it does.
    pub(super) fn run(&self, what: &str, command: Command) -> Result<Process> {
        let process = self.spawn(command)?;
        println!("{:<13} {what}", self.name);
        Ok(process)
    }

    /// Starts a program.
    pub(super) fn spawn(&self, command: Command) -> Result<Process> {
        let place = Place {
            netns: Some(self.namespace.open()?),
            cgroups: self.cgroup.entrances()?,
        };
        Process::start(self.name, command, place)
    }
}
