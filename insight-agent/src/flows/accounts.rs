//! What was counted of each flow, and how much of it is in a batch already.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use insight_ebpf::abi::{FlowKey, FlowTotals, LiveSocket};

use super::live::{Live, LiveFlow};
use super::row::FlowRow;
use super::totals::{Moved, Totals};

/// A flow with open connections is mentioned at least this often, so that every minute of the graph has it.
pub(super) const MENTION: Duration = Duration::from_secs(30);

/// Every flow's account. It holds one entry for each entry of the kernel's flow map, so that map's size bounds it.
#[derive(Debug, Default)]
pub struct Accounts {
    baseline: HashMap<FlowKey, Moved>,
    flows: HashMap<FlowKey, Account>,
}

#[derive(Debug, Default)]
struct Account {
    /// Counted.
    total: Totals,
    /// Of that, in a batch.
    batched: Totals,
    /// Open connections.
    active: u64,
    /// Open connections as the last batch said.
    batched_active: u64,
    /// When a batch had it.
    mentioned: Option<Instant>,
}

impl Accounts {
    /// Accounts that begin now; `open` is the kernel's baseline reading.
    pub fn begin(open: &[LiveSocket]) -> Self {
        Self {
            baseline: Live::baseline(open),
            flows: HashMap::new(),
        }
    }

    /// Takes a full reading. `closed` must have been read before `live`; without a readout `live` is `None`.
    pub fn update(&mut self, closed: &[(FlowKey, FlowTotals)], live: Option<&Live>) {
        for account in self.flows.values_mut() {
            account.active = 0;
        }
        let none = LiveFlow::default();
        for (key, totals) in closed {
            let open = live.map(|live| live.flows.get(key).unwrap_or(&none));
            self.set(key, totals, open);
        }
        // Connections that are older than the agent: open, but their flow is not in the kernel's map yet.
        let old = live.into_iter().flat_map(|live| &live.flows);
        let unseen = FlowTotals::default();
        let known: std::collections::HashSet<&FlowKey> =
            closed.iter().map(|(key, _)| key).collect();
        for (key, open) in old.filter(|(key, _)| !known.contains(key)) {
            self.set(key, &unseen, Some(open));
        }
    }

    /// Takes the closed totals of a flow that has just appeared, between two full readings.
    pub fn appeared(&mut self, key: &FlowKey, closed: &FlowTotals) {
        self.set(key, closed, None);
    }

    fn set(&mut self, key: &FlowKey, closed: &FlowTotals, open: Option<&LiveFlow>) {
        let baseline = self.baseline.get(key).copied().unwrap_or_default();
        let moved = open.map_or(Moved::default(), |open| open.moved);
        let account = self.flows.entry(*key).or_default();
        account.total.raise(&Totals::of(closed, &moved, &baseline));
        // Without a readout, what was opened and not closed is open.
        account.active = open.map_or_else(
            || closed.opened.saturating_sub(closed.closed),
            |open| open.connections,
        );
    }

    /// What changed since the last batch; from now on it counts as batched.
    pub fn take(&mut self, now: Instant) -> Vec<FlowRow> {
        let mut rows = Vec::new();
        for (key, account) in &mut self.flows {
            let added = account.total.since(&account.batched);
            let due = account.active > 0
                && account
                    .mentioned
                    .is_none_or(|last| now.duration_since(last) >= MENTION);
            if added.is_zero() && account.active == account.batched_active && !due {
                continue;
            }
            rows.push(FlowRow {
                key: *key,
                added,
                active: account.active,
            });
            account.batched = account.total;
            account.batched_active = account.active;
            account.mentioned = Some(now);
        }
        rows
    }

    /// How many flows there are.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }
}
