//! A per-packet counter, as one writes it with bpftrace in ten lines: the naive alternative to Insight. It is no part of the product.
//!
//! A worker of this program loads it and reads its map regularly, so that its CPU time can be told from the rest.

mod map;
mod program;

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::contender::{Counted, worker};
use crate::load::args::Flags;
use crate::process::{Place, Process};
use crate::product::program;

use map::{Key, Map, Value};
use program::{Attached, Way};

/// First word of the worker's command line.
pub(super) const WORKER: &str = "worker-packet-counter";

/// Starts it on all below a cgroup, and waits until it counts.
pub(super) fn start(cgroup: &std::path::Path) -> Result<Process> {
    let mut command = Command::new(program("insight-bench")?);
    command.arg(WORKER).arg("--cgroup").arg(cgroup);
    worker::started(Process::start(WORKER, command, Place::default())?)
}

/// The worker's work.
pub(super) fn work(flags: &mut Flags) -> Result<()> {
    let cgroup: PathBuf = flags.required("--cgroup")?;
    flags.finish()?;
    let mut map = Map::new()?;
    let _attached = [
        Attached::new(&map, &cgroup, Way::In)?,
        Attached::new(&map, &cgroup, Way::Out)?,
    ];
    let mut seen = Seen::default();
    let ports = worker::read_regularly(true, || map.drain(|key, value| seen.add(key, value)))?;
    worker::answer(seen.of_clients(&ports));
    Ok(())
}

/// All that was read.
#[derive(Default)]
struct Seen(HashMap<Key, Value>);

impl Seen {
    fn add(&mut self, key: Key, value: Value) {
        let sum = self.0.entry(key).or_default();
        sum.packets += value.packets;
        sum.bytes += value.bytes;
    }

    /// What clients of these ports did, at their end. A connection is what it sent, one 5-tuple: there is nothing else to know it by.
    fn of_clients(&self, servers: &Range<u16>) -> Counted {
        let mut counted = Counted::default();
        for (key, value) in &self.0 {
            if key.went(Way::Out) && servers.contains(&key.destination_port()) {
                counted.connections += 1;
                counted.bytes += value.bytes;
            } else if key.went(Way::In) && servers.contains(&key.source_port()) {
                counted.bytes += value.bytes;
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_what_its_client_sent() {
        let value = |bytes| Value { packets: 1, bytes };
        let mut seen = Seen::default();
        // Client 40000 to server 2000, seen at both ends, the first key in two reads.
        seen.add(Key::example(Way::Out, 40_000, 2_000), value(60));
        seen.add(Key::example(Way::Out, 40_000, 2_000), value(40));
        seen.add(Key::example(Way::In, 40_000, 2_000), value(100));
        seen.add(Key::example(Way::Out, 2_000, 40_000), value(7));
        seen.add(Key::example(Way::In, 2_000, 40_000), value(7));
        // Another server.
        seen.add(Key::example(Way::Out, 40_000, 2_001), value(1_000));
        let counted = seen.of_clients(&(2_000..2_001));
        assert_eq!((counted.connections, counted.bytes), (1, 107));
    }
}
