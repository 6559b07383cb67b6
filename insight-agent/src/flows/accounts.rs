//! What was counted of each flow, and how much of it is in a batch already.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use insight_ebpf::abi::{
    Baseline, FlowEntry, FlowKey, FlowTotals, LiveSocket, Moved, PROTOCOL_UDP, Watermark,
};

use super::account::Account;
use super::baseline::key_of;
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
    /// Boxed: a table that grows is half empty.
    pub(super) flows: HashMap<FlowKey, Box<Account>>,
    reading: u64,
    /// Open sockets that this reading has met.
    met: HashSet<u64>,
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
                .or_insert_with(|| Box::new(Account::resumed(born, totals, now)));
            if account.born == born {
                account.batched = Totals(totals);
                account.total.raise(&Totals(totals));
            }
        }
    }

    /// A full reading begins. Its entries follow, each by [`Accounts::closed`], when all of them are read the open connections, each by
    /// [`Accounts::open`], and then [`Accounts::end_reading`].
    pub fn begin_reading(&mut self) {
        self.reading += 1;
        self.met.clear();
    }

    /// Takes an entry of the flow map.
    pub fn closed(&mut self, key: &FlowKey, entry: &FlowEntry) {
        let now = Instant::now();
        let (reading, baseline) = (self.reading, self.baseline_of(key, entry));
        let account = self.account(key, entry, now);
        account.reading = reading;
        account.closed(entry, &baseline, now);
    }

    /// Takes an open socket's record. One that is shared after a fork, or was passed on, is met once for each descriptor, and counted once.
    /// Should its address be reused within the pass, one is missing until the next pass. One whose flow was not in the map yet is in the next reading.
    pub fn open(&mut self, record: &LiveSocket) {
        if self.met.insert(record.socket)
            && let Some(account) = self.flows.get_mut(&key_of(record))
        {
            account.meet(record);
        }
    }

    /// A full reading is over. Without a readout it had no open connections. What it had no entry of is forgotten: those were removed from the map.
    pub fn end_reading(&mut self, has_readout: bool) {
        let now = Instant::now();
        self.flows.retain(|_, account| {
            if has_readout {
                account.all_met(now);
            } else {
                account.count_open();
            }
            account.reading == self.reading
        });
        self.met = HashSet::new();
    }

    /// Takes the conversations that go on: what is open of UDP's flows.
    pub fn talking(&mut self, conversations: &HashMap<FlowKey, u64>) {
        let now = Instant::now();
        for (key, account) in &mut self.flows {
            if key.protocol == PROTOCOL_UDP {
                account.talk(conversations.get(key).copied().unwrap_or(0), now);
            }
        }
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
            .or_insert_with(|| Box::new(Account::new(entry.born, now)));
        if account.born != entry.born {
            **account = Account::new(entry.born, now);
        }
        account
    }

    /// What changed since the batch before, a row each; from now on it counts as batched, with the batch of that sequence. `keep` gets how
    /// much of each flow is reported with and without it, some at a time.
    pub fn take(
        &mut self,
        sequence: u64,
        now: Instant,
        mut keep: impl FnMut(&mut [(FlowKey, Watermark)]),
        mut row: impl FnMut(&FlowRow),
    ) {
        let mut marks = Vec::new();
        let mut left = MAX_ROWS;
        let mut take = |key: &FlowKey, account: &mut Account| {
            if left == 0 {
                return None;
            }
            let before = account.batched;
            let row = account.take(*key, now)?;
            left -= 1;
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
            Some(row)
        };
        // There is one row a flow, also where it has two entries.
        let mut seconds: HashMap<FlowKey, FlowRow> = HashMap::new();
        for (key, account) in &mut self.flows {
            if key.generation != 0
                && let Some(mut second) = take(key, account)
            {
                second.key.generation = 0;
                seconds.insert(second.key, second);
            }
        }
        for (key, account) in &mut self.flows {
            if key.generation != 0 {
                continue;
            }
            if let Some(mut first) = take(key, account) {
                if let Some(second) = seconds.remove(key) {
                    first.add(&second);
                }
                row(&first);
            }
        }
        seconds.values().for_each(row);
        keep(&mut marks);
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
