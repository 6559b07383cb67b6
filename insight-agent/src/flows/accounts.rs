//! What was counted of each flow, and how much of it is in a batch already.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use insight_ebpf::abi::{Baseline, FlowEntry, FlowKey, FlowTotals, Moved, Watermark};

use super::account::Account;
use super::live::{Live, LiveFlow};
use super::row::FlowRow;
use super::totals::Totals;

/// A flow with open connections is mentioned at least this often, so that every minute of the graph has it.
pub(super) const MENTION: Duration = Duration::from_secs(30);

/// Rows of one batch, half of what an aggregator takes; what is more goes into the next one.
const MAX_ROWS: usize = 500_000;

/// Watermarks that are handed out at once: half a kilobyte each.
const MARKS: usize = 1_024;

/// Every flow's account: one for each entry of the kernel's flow map, which bounds these.
#[derive(Debug, Default)]
pub struct Accounts {
    baseline: HashMap<FlowKey, Baseline>,
    pub(super) flows: HashMap<FlowKey, Account>,
    reading: u64,
}

impl Accounts {
    /// Accounts that begin now, with what each flow's open connections had moved before.
    pub fn begin(baseline: impl IntoIterator<Item = (FlowKey, Baseline)>) -> Self {
        Self {
            baseline: baseline.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Goes on where an agent before has stopped: `reported` of each flow, whose entry was made then, is in a batch already.
    pub fn resume(&mut self, reported: impl Iterator<Item = (FlowKey, u64, FlowTotals)>) {
        let now = Instant::now();
        for (key, born, totals) in reported {
            let account = self
                .flows
                .entry(key)
                .or_insert_with(|| Account::resumed(born, totals, now));
            if account.born == born {
                account.batched = Totals(totals);
                account.total.raise(&Totals(totals));
            }
        }
    }

    /// Takes a full reading. `closed` must have been read before `live`; without a readout `live` is `None`. A connection whose flow is not
    /// in `closed` yet is in the next reading.
    pub fn update(&mut self, closed: &[(FlowKey, FlowEntry)], live: Option<&Live>) {
        let now = Instant::now();
        self.reading += 1;
        let none = LiveFlow::default();
        for (key, entry) in closed {
            let open = live.map(|live| live.flows.get(key).unwrap_or(&none));
            let baseline = self.baseline_of(key, entry);
            let reading = self.reading;
            let account = self.account(key, entry, now);
            account.reading = reading;
            account.set(entry, open.unwrap_or(&none), &baseline, now);
            match open {
                Some(open) => account.active = open.connections,
                None => account.count_open(&entry.totals),
            }
        }
        // The rest was removed from the map.
        self.flows
            .retain(|_, account| account.reading == self.reading);
    }

    /// Takes the closed totals of a flow that has just appeared, between two full readings.
    pub fn appeared(&mut self, key: &FlowKey, entry: &FlowEntry) {
        let now = Instant::now();
        let baseline = self.baseline_of(key, entry);
        self.account(key, entry, now)
            .appeared(entry, &baseline, now);
    }

    fn baseline_of(&self, key: &FlowKey, entry: &FlowEntry) -> Moved {
        match self.baseline.get(key) {
            Some(baseline) if baseline.born == entry.born => baseline.moved,
            _ => Moved::default(),
        }
    }

    /// The entry's account: a new one if the flow's entry was removed and made again.
    fn account(&mut self, key: &FlowKey, entry: &FlowEntry, now: Instant) -> &mut Account {
        let account = self
            .flows
            .entry(*key)
            .or_insert_with(|| Account::new(entry.born, now));
        if account.born != entry.born {
            *account = Account::new(entry.born, now);
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
            let before = account.batched;
            let Some(row) = account.take(*key, now) else {
                continue;
            };
            if account.batched != before {
                let mark = Watermark {
                    sequence,
                    born: account.born,
                    after: account.batched.0,
                    before: before.0,
                };
                marks.push((*key, mark));
                if marks.len() == MARKS {
                    keep(&mut marks);
                    marks.clear();
                }
            }
            rows.push(row);
        }
        keep(&mut marks);
        merge_second_entries(rows)
    }

    /// Forgets the baselines of flows whose entries are removed.
    pub fn forget(&mut self, keys: &[FlowKey]) {
        for key in keys {
            self.baseline.remove(key);
            self.flows.remove(key);
        }
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

/// One row a flow, also where it has two entries.
fn merge_second_entries(rows: Vec<FlowRow>) -> Vec<FlowRow> {
    let (second, mut rows): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.key.generation != 0);
    if second.is_empty() {
        return rows;
    }
    let places: HashMap<FlowKey, usize> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| (row.key, place))
        .collect();
    for mut row in second {
        row.key.generation = 0;
        match places.get(&row.key) {
            Some(place) => rows[*place].add(&row),
            None => rows.push(row),
        }
    }
    rows
}
