//! What was counted of each flow, and how much of it is in a batch already.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use insight_ebpf::abi::{FlowKey, FlowTotals, Histogram, Moved, Watermark};

use super::live::{Baseline, Live, LiveFlow};
use super::row::FlowRow;
use super::totals::Totals;

/// A flow with open connections is mentioned at least this often, so that every minute of the graph has it.
pub(super) const MENTION: Duration = Duration::from_secs(30);

/// Rows of one batch, half of what an aggregator takes; what is more goes into the next one.
const MAX_ROWS: usize = 500_000;

/// A flow that is neither in the kernel's map nor open in so many full readings has found no room in the map when it closed, and
/// comes no more.
const ABSENT: u8 = 3;

/// Every flow's account: one for each entry of the kernel's flow map, which bounds these, and as many again at most for flows that are
/// open and found no room there.
#[derive(Debug, Default)]
pub struct Accounts {
    baseline: HashMap<FlowKey, Moved>,
    flows: HashMap<FlowKey, Account>,
    limit: usize,
    /// Flows whose accounts were closed since [`Accounts::gone`] was asked.
    gone: Vec<FlowKey>,
}

/// Watermarks that are handed out at once: half a kilobyte each.
const MARKS: usize = 1_024;

#[derive(Debug, Default)]
struct Account {
    /// Counted.
    total: Totals,
    /// Of that, in a batch.
    batched: Totals,
    /// Round-trip times of open connections in readings that are in no batch yet.
    open_rtt: Histogram,
    /// Open connections.
    active: u64,
    /// Open connections as the last batch said.
    batched_active: u64,
    /// When a batch had it.
    mentioned: Option<Instant>,
    /// Full readings in a row that did not have it.
    absent: u8,
    /// Connections that must be older than the agent, known without a readout only.
    older: u64,
    /// How many more were closed than opened, as the last reading says.
    excess: u64,
}

impl Account {
    /// Counts the open connections without a readout: what was opened and not closed, and of those that are older than the agent the ones that
    /// show by their closes. So there is never one too many, and none is missing once all the old ones are closed.
    ///
    /// The two counters are not read at once: a connection that opens and closes in between looks like an old one. So two readings have
    /// to show an old one; it would stay for ever.
    fn count_open(&mut self, closed: &FlowTotals) {
        let excess = closed.closed.saturating_sub(closed.opened);
        self.older = self.older.max(excess.min(self.excess));
        self.excess = excess;
        self.active = (closed.opened + self.older).saturating_sub(closed.closed);
    }
}

impl Accounts {
    /// Accounts that begin now; `max_flows` is the room in the kernel's flow map.
    pub fn begin(baseline: Baseline, max_flows: u32) -> Self {
        Self {
            baseline: baseline.flows,
            limit: (max_flows as usize).saturating_mul(2),
            ..Self::default()
        }
    }

    /// Goes on where an agent before has stopped: `reported` of each flow is in a batch already.
    pub fn resume(&mut self, reported: impl Iterator<Item = (FlowKey, FlowTotals)>) {
        for (key, totals) in reported {
            let account = self.flows.entry(key).or_default();
            account.batched = Totals(totals);
            account.total.raise(&Totals(totals));
            // A readout knows better.
            account.active = totals.opened.saturating_sub(totals.closed);
        }
    }

    /// Flows whose accounts were closed since the last call.
    pub fn gone(&mut self) -> Vec<FlowKey> {
        std::mem::take(&mut self.gone)
    }

    /// Takes a full reading. `closed` must have been read before `live`; without a readout `live` is `None`.
    pub fn update(&mut self, closed: &[(FlowKey, FlowTotals)], live: Option<&Live>) {
        for account in self.flows.values_mut() {
            account.active = 0;
            account.absent = account.absent.saturating_add(1);
        }
        let none = LiveFlow::default();
        for (key, totals) in closed {
            let open = live.map(|live| live.flows.get(key).unwrap_or(&none));
            let account = self.set(key, totals, open.unwrap_or(&none));
            match open {
                Some(open) => account.active = open.connections,
                None => account.count_open(totals),
            }
        }
        // Connections that are older than the agent: open, but their flow is not in the kernel's map yet.
        let unseen = FlowTotals::default();
        for (key, open) in live.into_iter().flat_map(|live| &live.flows) {
            let has_room = self.flows.len() < self.limit;
            let account = self.flows.get(key);
            let is_new = account.map_or(has_room, |account| account.absent > 0);
            if is_new {
                self.set(key, &unseen, open).active = open.connections;
            }
        }
        let gone = &mut self.gone;
        self.flows.retain(|key, account| {
            let stays = account.absent < ABSENT || account.total != account.batched;
            if !stays {
                gone.push(*key);
            }
            stays
        });
    }

    /// Takes the closed totals of a flow that has just appeared, between two full readings.
    pub fn appeared(&mut self, key: &FlowKey, closed: &FlowTotals) {
        let before = self
            .flows
            .get(key)
            .map_or(FlowTotals::default(), |account| account.total.0);
        let account = self.set(key, closed, &LiveFlow::default());
        let added = closed.opened.saturating_sub(before.opened);
        let ended = closed.closed.saturating_sub(before.closed);
        account.active = (account.active + added).saturating_sub(ended);
    }

    fn set(&mut self, key: &FlowKey, closed: &FlowTotals, open: &LiveFlow) -> &mut Account {
        let baseline = self.baseline.get(key).copied().unwrap_or_default();
        let account = self.flows.entry(*key).or_default();
        account.absent = 0;
        let before = account.total.moved();
        account
            .total
            .raise(&Totals::of(closed, &open.moved, &baseline));
        // An idle connection's time is old news.
        if account.total.moved() != before {
            for (sum, more) in account.open_rtt.iter_mut().zip(open.rtt) {
                *sum = sum.saturating_add(more);
            }
        }
        account
    }

    /// What changed since the batch before; from now on it counts as batched, with the batch of that sequence. `keep` gets how much of
    /// each flow is reported with and without it, some at a time.
    pub fn take(
        &mut self,
        sequence: u64,
        now: Instant,
        mut keep: impl FnMut(&mut [(FlowKey, Watermark)]),
    ) -> Vec<FlowRow> {
        let (mut rows, mut marks) = (Vec::new(), Vec::new());
        for (key, account) in &mut self.flows {
            if rows.len() == MAX_ROWS {
                break;
            }
            let mut added = account.total.since(&account.batched);
            let due = account.active > 0
                && account
                    .mentioned
                    .is_none_or(|last| now.duration_since(last) >= MENTION);
            if added.is_zero() && account.active == account.batched_active && !due {
                continue;
            }
            added.add_rtt(&std::mem::take(&mut account.open_rtt));
            rows.push(FlowRow {
                key: *key,
                added,
                active: account.active,
            });
            if !added.is_zero() {
                let mark = Watermark {
                    sequence,
                    after: account.total.0,
                    before: account.batched.0,
                };
                marks.push((*key, mark));
                if marks.len() == MARKS {
                    keep(&mut marks);
                    marks.clear();
                }
            }
            account.batched = account.total;
            account.batched_active = account.active;
            account.mentioned = Some(now);
        }
        keep(&mut marks);
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
