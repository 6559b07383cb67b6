//! One reading of the open connections, summed by flow.

use std::collections::{HashMap, HashSet};

use insight_ebpf::abi::{FlowKey, Histogram, LiveSocket, Moved, bucket};

use super::totals::add;

/// What one flow's open connections have moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveFlow {
    /// Since they were opened.
    pub moved: Moved,
    /// How many there are.
    pub connections: u64,
    /// Their round-trip times.
    pub rtt: Histogram,
}

/// One reading of the open connections.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// By flow.
    pub flows: HashMap<FlowKey, LiveFlow>,
    met: HashSet<u64>,
}

impl Live {
    /// Takes a record. A socket that is shared after a fork, or was passed on, is met once for each descriptor, and counted once.
    /// Should its address be reused within the pass, one is missing until the next pass.
    pub fn meet(&mut self, record: &LiveSocket) {
        if self.met.insert(record.socket) {
            let flow = self.flows.entry(key_of(record)).or_default();
            add(&mut flow.moved, record);
            flow.connections += 1;
            if record.rtt_us != 0 {
                flow.rtt[bucket(record.rtt_us)] += 1;
            }
        }
    }
}

/// What the sockets that are older than the counting had moved before.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// By flow.
    pub flows: HashMap<FlowKey, Moved>,
    met: HashSet<u64>,
}

impl Baseline {
    /// Takes a record; a socket that is met again counts as it was read first.
    pub fn meet(&mut self, record: &LiveSocket) {
        if record.baseline != 0 && self.met.insert(record.socket) {
            add(self.flows.entry(key_of(record)).or_default(), record);
        }
    }
}

/// The flow's key; the record has the socket's own address in it.
fn key_of(record: &LiveSocket) -> FlowKey {
    match record.key.prefix {
        0 => record.key,
        prefix => record.key.widened(prefix),
    }
}
