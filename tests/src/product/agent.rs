//! The agent as a guard.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::daemon::Daemon;
use super::{Aggregator, free_port};
use crate::cgroup::CgroupRoot;
use crate::reader::http;
use crate::wait::{PATIENCE, eventually};

/// A running agent that counts what is below one cgroup.
pub struct Agent {
    /// The process.
    pub daemon: Daemon,
    /// The port where it answers HTTP.
    pub http_port: u16,
    http: SocketAddr,
}

impl Agent {
    /// Starts one that reports twice a second, and waits until it has collected once.
    pub fn start(aggregator: &Aggregator, node: &str, root: &CgroupRoot) -> Result<Self> {
        Self::start_with(aggregator, node, root, "500ms")
    }

    /// The same with another interval.
    pub fn start_with(
        aggregator: &Aggregator,
        node: &str,
        root: &CgroupRoot,
        interval: &str,
    ) -> Result<Self> {
        Self::started_by(&[], aggregator, node, root, interval)
    }

    /// The same, started by another program; see [`Daemon::started_by`].
    pub fn started_by(
        starter: &[&str],
        aggregator: &Aggregator,
        node: &str,
        root: &CgroupRoot,
        interval: &str,
    ) -> Result<Self> {
        let http_port = free_port()?;
        let mut args = run_args(aggregator, node, root, interval, http_port);
        args.extend(["--pin-dir".to_owned(), "off".to_owned()]);
        Self::start_from(starter, args, http_port)
    }

    /// One that reports twice a second, with further flags.
    pub fn start_flags(
        aggregator: &Aggregator,
        node: &str,
        root: &CgroupRoot,
        flags: &[&str],
    ) -> Result<Self> {
        Self::with_flags(aggregator, node, root, "500ms", flags)
    }

    /// The same with another interval.
    pub fn with_flags(
        aggregator: &Aggregator,
        node: &str,
        root: &CgroupRoot,
        interval: &str,
        flags: &[&str],
    ) -> Result<Self> {
        let http_port = free_port()?;
        let mut args = run_args(aggregator, node, root, interval, http_port);
        args.extend(["--pin-dir".to_owned(), "off".to_owned()]);
        args.extend(flags.iter().map(ToString::to_string));
        Self::start_from(&[], args, http_port)
    }

    /// One that pins what it counts below a folder.
    pub fn pinned(
        aggregator: &Aggregator,
        node: &str,
        root: &CgroupRoot,
        folder: &Path,
    ) -> Result<Self> {
        Self::pinned_with(aggregator, node, root, folder, &[])
    }

    /// The same with further flags.
    pub fn pinned_with(
        aggregator: &Aggregator,
        node: &str,
        root: &CgroupRoot,
        folder: &Path,
        flags: &[&str],
    ) -> Result<Self> {
        Self::pinned_every(aggregator, node, root, "500ms", folder, flags)
    }

    /// The same with another interval.
    pub fn pinned_every(
        aggregator: &Aggregator,
        node: &str,
        root: &CgroupRoot,
        interval: &str,
        folder: &Path,
        flags: &[&str],
    ) -> Result<Self> {
        let http_port = free_port()?;
        let mut args = run_args(aggregator, node, root, interval, http_port);
        args.extend(["--pin-dir".to_owned(), folder.display().to_string()]);
        args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Self::start_from(&[], args, http_port)
    }

    /// One that a starter puts on a node of the cluster, where it counts whatever it finds: the node's cgroups. Twice a second it
    /// reports. It answers HTTP there.
    pub fn on_node(
        starter: &[&str],
        aggregator: &Aggregator,
        node: &str,
        http: SocketAddr,
        flags: &[&str],
    ) -> Result<Self> {
        let url = aggregator.grpc_url();
        let http_text = http.to_string();
        let own = [
            "run",
            "--aggregator",
            &url,
            "--node-name",
            node,
            "--interval",
            "500ms",
            "--listen",
            &http_text,
        ];
        let args = own.iter().chain(flags).map(ToString::to_string);
        Self::start_at(starter, args.collect(), http)
    }

    fn start_from(starter: &[&str], args: Vec<String>, http_port: u16) -> Result<Self> {
        Self::start_at(starter, args, (Ipv4Addr::LOCALHOST, http_port).into())
    }

    fn start_at(starter: &[&str], args: Vec<String>, http: SocketAddr) -> Result<Self> {
        let daemon = Daemon::new("insight-agent", args, http.port())?;
        let mut agent = Self {
            daemon: daemon.asked_at(http).started_by(starter),
            http_port: http.port(),
            http,
        };
        agent.restart()?;
        Ok(agent)
    }

    /// Starts it again after [`Daemon::stop`] or [`Daemon::kill`].
    pub fn restart(&mut self) -> Result<()> {
        self.daemon.start()?;
        self.daemon.wait_ready()
    }

    /// Its `/metrics`.
    pub fn metrics(&self) -> Result<String> {
        http::get_ok_from(self.http, "/metrics")
    }

    /// A number of its `/status`, by JSON pointer.
    pub fn status(&self, what: &str) -> Result<u64> {
        let text = http::get_ok_from(self.http, "/status")?;
        let status: Value = serde_json::from_str(&text)?;
        status
            .pointer(what)
            .and_then(Value::as_u64)
            .with_context(|| format!("no number {what} in {status}"))
    }

    /// Waits until it has collected twice more and the aggregator has all of it.
    pub fn settle(&self) -> Result<()> {
        let collections = || self.status("/collection/count");
        // One may be under way.
        let target = collections()? + 3;
        eventually(PATIENCE, "the agent to collect and report", || {
            let collections = collections()?;
            let unacked = self.status("/aggregator/unacked_batches")?;
            ensure!(
                collections >= target && unacked == 0,
                "{collections} collections of {target}, {unacked} batches on their way"
            );
            Ok(())
        })
    }
}

/// The command line of `run`, but for the pins.
fn run_args(
    aggregator: &Aggregator,
    node: &str,
    root: &CgroupRoot,
    interval: &str,
    http_port: u16,
) -> Vec<String> {
    [
        "run",
        "--aggregator",
        &aggregator.grpc_url(),
        "--node-name",
        node,
        "--cgroup-root",
        &root.path().display().to_string(),
        "--interval",
        interval,
        "--listen",
        &format!("127.0.0.1:{http_port}"),
    ]
    .map(str::to_owned)
    .to_vec()
}
