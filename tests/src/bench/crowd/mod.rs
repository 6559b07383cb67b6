//! Many server ports and connections to each, which `insight-load` does not have: two workers of this program, each in a pod.

mod dialer;
mod hub;

use std::net::IpAddr;
use std::ops::Range;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::world::World;
use crate::load::args::Flags;
use crate::pod::Pod;
use crate::process::Process;
use crate::product::program;

/// First words of the workers' command lines, which `--help` does not show.
const HUB: &str = "worker-hub";
const DIALER: &str = "worker-dialer";

/// Longest wait for an answer of a worker.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections to each server port of [`open`].
const PER_PORT: u64 = 5;

/// Server ports of one process; with their connections they are less open files than a process may have anywhere.
const PORTS_OF_ONE: u16 = 500;

/// Does a worker's work; `None` if the first word is no worker's.
pub(super) fn work(worker: &str, rest: &[String]) -> Option<Result<()>> {
    match worker {
        HUB => Some(flags(rest).and_then(|mut flags| hub::run(&mut flags))),
        DIALER => Some(flags(rest).and_then(|mut flags| dialer::run(&mut flags))),
        _ => None,
    }
}

fn flags(rest: &[String]) -> Result<Flags> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("allow as many open files as may be")?;
    Flags::parse(rest.iter().cloned())
}

/// Connections that stay open, spread over server ports.
pub(super) fn open(world: &World, connections: u64) -> Result<Vec<Crowd>> {
    let mut left = u16::try_from(connections / PER_PORT)?;
    let mut crowds = Vec::new();
    while left > 0 {
        let ports = world.ports(left.min(PORTS_OF_ONE))?;
        left -= left.min(PORTS_OF_ONE);
        let mut crowd = Crowd::start(&world.client, &world.server, &ports)?;
        for _ in 0..PER_PORT {
            crowd.open(&ports)?;
        }
        crowds.push(crowd);
    }
    Ok(crowds)
}

/// A listener on each of some ports in one pod, and connections to them from another.
pub(super) struct Crowd {
    dialer: Process,
    _hub: Process,
}

impl Crowd {
    /// Starts both, and waits until the ports listen.
    pub(super) fn start(client: &Pod, server: &Pod, ports: &Range<u16>) -> Result<Self> {
        let mut hub = spawn(
            server,
            HUB,
            &[
                ("--first", ports.start.to_string()),
                ("--count", ports.len().to_string()),
            ],
        )?;
        hub.line(PATIENCE)?;
        let to = IpAddr::V4(server.addresses.v4);
        Ok(Self {
            dialer: spawn(client, DIALER, &[("--to", to.to_string())])?,
            _hub: hub,
        })
    }

    /// Opens a connection to each port, which stays open. The moment at which the last connect returned, nanoseconds of
    /// `CLOCK_MONOTONIC`.
    pub(super) fn open(&mut self, ports: &Range<u16>) -> Result<u64> {
        self.ask(&format!("open {} {}", ports.start, ports.len()))
    }

    /// Sends so many bytes on each connection, and receives as many. The number of connections.
    pub(super) fn speak(&mut self, bytes: usize) -> Result<u64> {
        self.ask(&format!("speak {bytes}"))
    }

    fn ask(&mut self, what: &str) -> Result<u64> {
        self.dialer.tell(what)?;
        let answer = self
            .dialer
            .line(PATIENCE)
            .with_context(|| what.to_owned())?;
        answer
            .parse()
            .with_context(|| format!("{what} was answered by {answer:?}"))
    }
}

fn spawn(pod: &Pod, worker: &str, flags: &[(&str, String)]) -> Result<Process> {
    let mut command = Command::new(program("insight-bench")?);
    command.arg(worker);
    for (name, value) in flags {
        command.args([*name, value]);
    }
    pod.spawn(worker, command)
}

/// The ports of `--first` and `--count`.
fn ports(flags: &mut Flags) -> Result<Range<u16>> {
    range(flags.required("--first")?, flags.required("--count")?)
}

fn range(first: u16, count: u16) -> Result<Range<u16>> {
    let end = first.checked_add(count);
    let range = first..end.with_context(|| format!("{count} ports from {first} are too many"))?;
    ensure!(!range.is_empty(), "no ports");
    Ok(range)
}
