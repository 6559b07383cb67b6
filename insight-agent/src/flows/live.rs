//! One reading of the open connections, summed by flow.

use std::collections::{HashMap, HashSet};

use insight_ebpf::abi::{FlowKey, LiveSocket};

use super::totals::Moved;

/// What one flow's open connections have moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveFlow {
    /// Since they were opened.
    pub moved: Moved,
    /// How many there are.
    pub connections: u64,
}

/// One reading of the open connections.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// By flow.
    pub flows: HashMap<FlowKey, LiveFlow>,
    /// Sockets that were met, each once.
    pub sockets: usize,
}

impl Live {
    /// A socket that is shared after a fork, or was passed on, is met once for each descriptor, and counted once. Should its
    /// address be reused within the pass, one is missing until the next pass.
    pub fn of(records: &[LiveSocket]) -> Self {
        let mut met = HashSet::with_capacity(records.len());
        let mut flows: HashMap<FlowKey, LiveFlow> = HashMap::new();
        for record in records {
            if met.insert(record.socket) {
                let flow = flows.entry(record.key).or_default();
                flow.moved.add(record);
                flow.connections += 1;
            }
        }
        Self {
            flows,
            sockets: met.len(),
        }
    }

    /// What the sockets that are older than the counting had moved before, each once: as it was read first.
    pub(super) fn baseline(records: &[LiveSocket]) -> HashMap<FlowKey, Moved> {
        let mut met = HashSet::new();
        let mut baseline: HashMap<FlowKey, Moved> = HashMap::new();
        for record in records.iter().filter(|record| record.baseline != 0) {
            if met.insert(record.socket) {
                baseline.entry(record.key).or_default().add(record);
            }
        }
        baseline
    }
}
