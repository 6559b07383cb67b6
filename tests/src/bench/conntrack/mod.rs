//! Polling the kernel's connection tracking, with a worker in the pod's network namespace. It is on there, with byte counts,
//! because of one rule that asks for a connection's state, as a firewall has.

mod entry;
mod netlink;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::contender::{Counted, worker};
use crate::load::args::Flags;
use crate::pod::Pod;
use crate::process::{Place, Process};
use crate::product::program;

use entry::{Entry, Who};
use netlink::Table;

/// First word of the worker's command line.
pub(super) const WORKER: &str = "worker-conntrack";

/// Whether bytes and packets are counted, of the network namespace of who opens it.
const ACCOUNTING: &str = "/proc/sys/net/netfilter/nf_conntrack_acct";

/// The limit of each network namespace's table, the same for all.
const MOST: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

const ON: &str = "table inet insight-bench {
    chain input {
        type filter hook input priority 0; policy accept;
        ct state established accept
    }
}";
const OFF: &str = "delete table inet insight-bench";

/// Entries that this machine's tables may have; `None` before connection tracking is first used.
pub(super) fn room() -> Result<Option<u64>> {
    match fs::read_to_string(MOST) {
        Ok(text) => text.trim().parse().map(Some).context(MOST),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(MOST),
    }
}

/// Turns it on in a pod, and waits until it is.
pub(super) fn start(pod: &Pod, polled: bool) -> Result<Process> {
    let mut command = Command::new(program("insight-bench")?);
    command.arg(WORKER);
    if polled {
        command.arg("--poll");
    }
    // In no cgroup of the pod: its CPU time is not the pod's.
    let place = Place {
        netns: Some(pod.namespace.open()?),
        cgroups: Vec::new(),
    };
    worker::started(Process::start(WORKER, command, place)?)
}

/// The worker's work.
pub(super) fn work(flags: &mut Flags) -> Result<()> {
    let polled = flags.switch("--poll")?;
    flags.finish()?;
    // The rule loads what the files below belong to.
    nft(ON)?;
    fs::write(ACCOUNTING, "1").with_context(|| format!("write {ACCOUNTING}"))?;
    let mut table = Table::open()?;
    let mut seen = Seen::default();
    let ports = worker::read_regularly(polled, || table.dump(|entry| seen.add(entry)))?;
    nft(OFF)?;
    // Entries stay for two minutes, and the next bout's would come on top.
    table.flush()?;
    worker::answer(seen.of_clients(&ports));
    Ok(())
}

fn nft(script: &str) -> Result<()> {
    let output = Command::new("nft")
        .arg(script)
        .output()
        .context("run `nft`; it is in the package nftables")?;
    ensure!(
        output.status.success(),
        "`nft {script}` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// All that any poll has shown.
#[derive(Default)]
struct Seen(HashMap<Who, Last>);

/// What is known of a connection.
#[derive(Default)]
struct Last {
    bytes: u64,
    open: bool,
}

impl Seen {
    fn add(&mut self, entry: Entry) {
        let last = self.0.entry(entry.who).or_default();
        last.bytes = entry.bytes.max(last.bytes);
        last.open |= entry.open;
    }

    fn of_clients(&self, servers: &Range<u16>) -> Counted {
        let mut counted = Counted::default();
        for (who, last) in &self.0 {
            if servers.contains(&who.destination_port) {
                counted.connections += 1;
                counted.open += u64::from(last.open);
                counted.bytes += last.bytes;
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_once_with_its_last_bytes() {
        let entry = |id, port, open, bytes| Entry {
            who: Who {
                source: [10, 0, 0, 2],
                destination: [10, 0, 0, 3],
                source_port: 40_000,
                destination_port: port,
                id,
            },
            open,
            bytes,
        };
        let mut seen = Seen::default();
        for entry in [
            entry(1, 2_000, true, 100),
            entry(1, 2_000, false, 900),
            // The same 5-tuple again.
            entry(2, 2_000, false, 10),
            entry(3, 2_001, true, 5_000),
        ] {
            seen.add(entry);
        }
        let counted = seen.of_clients(&(2_000..2_001));
        assert_eq!(
            (counted.connections, counted.open, counted.bytes),
            (2, 1, 910)
        );
    }
}
