//! One flow's account.

use std::time::{Duration, Instant};

use insight_ebpf::abi::{FlowEntry, FlowKey, FlowTotals, Histogram, LiveSocket, Moved, bucket};

use super::accounts::MENTION;
use super::row::FlowRow;
use super::totals::{Totals, add, closed_since};

/// How long programs may still add to an entry that is retired: those that found it before. They run for microseconds; where they can be
/// preempted (Linux 7), for as long as a process waits for a CPU.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// What was counted of one entry of the flow map, and how much of it is in a batch already.
#[derive(Debug)]
pub(super) struct Account {
    /// When its entry was made, by the kernel's clock.
    pub(super) born: u64,
    /// The last reading that had it.
    pub(super) reading: u64,
    /// When it was first read as retired.
    retired: Option<Instant>,
    /// When something was last counted, or a connection was open.
    busy: Instant,
    /// What connections have moved, as far as this reading has come: the closed ones, less the baseline, and then the open ones. Below 0 (in
    /// two's complement) until all of the old ones were met.
    moved: Moved,
    /// The open ones, as far as this reading has come.
    met: Met,
    /// Counted.
    pub(super) total: Totals,
    /// Of that, in a batch.
    pub(super) batched: Totals,
    /// Round-trip times of open connections in readings that are in no batch yet.
    open_rtt: Histogram,
    /// Open connections.
    pub(super) active: u64,
    /// Open connections as the last batch said.
    batched_active: u64,
    /// When a batch had it.
    mentioned: Option<Instant>,
    /// Whether its connections are conversations, of UDP.
    talks: bool,
    /// Connections that must be older than the agent, known without a readout only.
    older: u64,
    /// How many more were closed than opened, as the last reading says.
    excess: u64,
}

/// Open connections that a reading has met.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    connections: u64,
    /// Their round-trip times.
    rtt: Histogram,
}

impl Account {
    pub(super) fn new(born: u64, now: Instant) -> Self {
        Self {
            born,
            reading: 0,
            retired: None,
            busy: now,
            moved: Moved::default(),
            met: Met::default(),
            total: Totals::default(),
            batched: Totals::default(),
            open_rtt: Histogram::default(),
            active: 0,
            batched_active: 0,
            mentioned: None,
            talks: false,
            older: 0,
            excess: 0,
        }
    }

    /// Goes on where an agent before has stopped.
    pub(super) fn resumed(born: u64, reported: FlowTotals, now: Instant) -> Self {
        Self {
            total: Totals(reported),
            batched: Totals(reported),
            // A readout knows better.
            active: reported.opened.saturating_sub(reported.closed),
            ..Self::new(born, now)
        }
    }

    /// Takes the entry: what the kernel has counted of closed connections.
    pub(super) fn closed(&mut self, entry: &FlowEntry, baseline: &Moved, now: Instant) {
        let before = self.total;
        self.moved = closed_since(&entry.totals, baseline);
        self.met = Met::default();
        self.total.raise_events(&entry.totals);
        if self.total != before {
            self.busy = now;
        }
        if entry.retired != 0 {
            self.retired.get_or_insert(now);
        }
    }

    /// Takes an open connection, read after the entry.
    pub(super) fn meet(&mut self, socket: &LiveSocket) {
        add(&mut self.moved, socket);
        self.met.connections += 1;
        if socket.rtt_us != 0 {
            self.met.rtt[bucket(socket.rtt_us)] += 1;
        }
    }

    /// All of its open connections were met.
    pub(super) fn all_met(&mut self, now: Instant) {
        let met = std::mem::take(&mut self.met);
        self.active = met.connections;
        if self.raise_moved() {
            // An idle connection's time is old news.
            for (sum, more) in self.open_rtt.iter_mut().zip(met.rtt) {
                *sum = sum.saturating_add(more);
            }
            self.busy = now;
        }
        if met.connections > 0 {
            self.busy = now;
        }
    }

    /// Whether something was moved since the last time.
    fn raise_moved(&mut self) -> bool {
        let before = self.total.moved();
        self.total.raise_moved(&self.moved);
        self.total.moved() != before
    }

    /// Counts the open connections without a readout: what was opened and not closed, and of those that are older than the agent the ones that
    /// show by their closes. So there is never one too many, and none is missing once all the old ones are closed.
    ///
    /// The two counters are not read at once: a connection that opens and closes in between looks like an old one. So two readings have
    /// to show an old one; it would stay for ever.
    pub(super) fn count_open(&mut self) {
        self.raise_moved();
        let (opened, closed) = (self.total.0.opened, self.total.0.closed);
        let excess = closed.saturating_sub(opened);
        self.older = self.older.max(excess.min(self.excess));
        self.excess = excess;
        self.active = (opened + self.older).saturating_sub(closed);
    }

    /// Takes how many conversations go on.
    pub(super) fn talk(&mut self, conversations: u64, now: Instant) {
        self.active = conversations;
        self.talks = true;
        if conversations > 0 {
            self.busy = now;
        }
    }

    /// Takes the entry between two full readings.
    pub(super) fn appeared(&mut self, entry: &FlowEntry, baseline: &Moved, now: Instant) {
        let before = self.total.0;
        self.closed(entry, baseline, now);
        self.raise_moved();
        let added = entry.totals.opened.saturating_sub(before.opened);
        let ended = entry.totals.closed.saturating_sub(before.closed);
        self.active = (self.active + added).saturating_sub(ended);
    }

    /// What was added since the last batch, if that, or the time since it was mentioned, is worth a row; from now on it is batched.
    pub(super) fn take(&mut self, key: FlowKey, now: Instant) -> Option<FlowRow> {
        let mut added = self.total.since(&self.batched);
        let due = self.active > 0
            && self
                .mentioned
                .is_none_or(|last| now.duration_since(last) >= MENTION);
        if added.is_zero() && self.active == self.batched_active && !due {
            return None;
        }
        added.add_rtt(&std::mem::take(&mut self.open_rtt));
        self.batched = self.total;
        self.batched_active = self.active;
        self.mentioned = Some(now);
        Some(FlowRow {
            key,
            added,
            active: self.active,
        })
    }

    /// Since when nothing has happened, if it can be removed: everything is batched, and no connection is open.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let totals = &self.total.0;
        // Conversations are not closed.
        let is_over = self.active == 0 && (self.talks || totals.opened <= totals.closed);
        (is_over && self.retired.is_none() && self.total == self.batched).then_some(self.busy)
    }

    /// Whether nothing can be added to it any more, and everything is batched.
    pub(super) fn is_removable(&self, now: Instant) -> bool {
        self.total == self.batched
            && self
                .retired
                .is_some_and(|since| now.duration_since(since) >= GRACE)
    }
}
