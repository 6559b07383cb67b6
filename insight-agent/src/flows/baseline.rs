//! Sockets that are older than the counting.

use std::collections::{HashMap, HashSet};

use insight_ebpf::abi::{FlowKey, LiveSocket, Moved};

use super::totals::add;

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
pub(super) fn key_of(record: &LiveSocket) -> FlowKey {
    match record.key.prefix {
        0 => record.key,
        prefix => record.key.widened(prefix),
    }
}
