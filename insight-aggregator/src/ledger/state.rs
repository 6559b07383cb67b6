//! What the ledger has in memory: the newest minutes, and what is needed to judge and to name.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;

use super::earlier::{Earlier, expected};
use super::map::{RowHash, RowMap};
use super::numbers::Numbers;
use super::plan::Changes;
use super::sequences::Sequences;
use super::stats::{Counts, Stats};
use super::stored::{Known, Stored};
use super::totals::TotalRows;
use crate::model::{Counters, Coverage, Entity, EntityId, Metrics, Minute, RowKey, Sum, UnixMs};
use crate::store::WindowId;

/// Minutes in memory, the open one included: the 15 minutes that readers ask for by default, and the open one.
const MINUTES: i64 = 16;

/// One row of one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) key: Arc<RowKey>,
    pub(super) sum: Sum,
}

/// One agent start: node name, epoch.
pub(super) type Agent = (Arc<str>, u64);

/// Everything of one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) rows: RowMap<Cell>,
    pub(super) metrics: HashMap<EntityId, Metrics>,
    pub(super) coverage: HashMap<Agent, Vec<Coverage>>,
}

impl Cells {
    /// Adds what one report counted of a row in some time of the minute.
    pub(super) fn add(
        &mut self,
        hash: RowHash,
        counters: Counters,
        [from, to]: [UnixMs; 2],
        key: impl FnOnce() -> Arc<RowKey>,
    ) {
        match self.rows.entry(hash) {
            Entry::Occupied(cell) => {
                let sum = &mut cell.into_mut().sum;
                sum.counters += counters;
                sum.widen(from, to);
            }
            Entry::Vacant(place) => {
                let sum = Sum {
                    counters,
                    first_seen: from,
                    last_seen: to,
                };
                place.insert(Cell { key: key(), sum });
            }
        }
    }
}

/// What was counted, by minute.
pub(super) type Minutes = BTreeMap<Minute, Cells>;

/// Entities by span.
pub(super) type Entities = BTreeMap<WindowId, HashMap<EntityId, Arc<Entity>>>;

/// See the module.
pub(super) struct State {
    /// From this minute on, memory holds everything that the store holds.
    pub(super) floor: Minute,
    pub(super) minutes: Minutes,
    /// Who reported before the floor.
    earlier: Earlier,
    /// Of the spans from the floor's on: what the store holds.
    pub(super) entities: Entities,
    /// Of the same spans: the numbers of row keys.
    pub(super) numbers: BTreeMap<WindowId, Numbers>,
    pub(super) sequences: Sequences,
    pub(super) totals: TotalRows,
    pub(super) counts: Counts,
    /// Spans that the store has rows of.
    pub(super) spans: BTreeSet<WindowId>,
}

/// The oldest minute to keep in memory at this time.
fn floor_at(now: UnixMs) -> Minute {
    Minute(Minute::of(now).0 - (MINUTES - 1))
}

/// Minutes in a window of the store: 6 hours. A store has as many trees as it has windows, times four tables; a week in windows
/// of one hour took 16 s to open, in windows of six about as long as a day in windows of one hour, 2 s (unoptimised build).
pub(super) const SPAN_MINUTES: i64 = 360;

/// The window that a minute is in: spans since 1970. What is before 1970 is in span 0.
pub(super) fn span_of(minute: Minute) -> WindowId {
    WindowId::try_from(minute.0.div_euclid(SPAN_MINUTES)).unwrap_or(0)
}

/// The minutes of a span.
pub(super) fn minutes_of(span: WindowId) -> impl DoubleEndedIterator<Item = Minute> {
    let first = i64::try_from(span)
        .unwrap_or(i64::MAX)
        .saturating_mul(SPAN_MINUTES);
    (first..first.saturating_add(SPAN_MINUTES)).map(Minute)
}

/// The first moment after a span, milliseconds since 1970.
pub(super) fn end_of(span: WindowId) -> UnixMs {
    i64::try_from(span)
        .unwrap_or(i64::MAX)
        .saturating_add(1)
        .saturating_mul(SPAN_MINUTES * 60_000)
}

impl State {
    /// Nothing but the time.
    fn new(now: UnixMs) -> Self {
        Self {
            floor: floor_at(now),
            minutes: Minutes::new(),
            earlier: Earlier::default(),
            entities: BTreeMap::new(),
            numbers: BTreeMap::new(),
            sequences: Sequences::default(),
            totals: TotalRows::new(now),
            counts: Counts::default(),
            spans: BTreeSet::new(),
        }
    }

    /// What a ledger that stopped here would have in memory, its totals left out.
    pub(super) fn load(stored: &Stored<'_>, now: UnixMs, retention: i64) -> Result<Self> {
        let mut state = Self::new(now);
        let mut known = Known::default();
        state.sequences = stored.sequences(now.saturating_sub(retention))?;
        state.spans = stored.spans()?.into_iter().collect();
        for &span in state.spans.range(span_of(state.floor)..) {
            for minute in minutes_of(span).filter(|minute| *minute >= state.floor) {
                let cells = stored.minute(minute, &mut known)?;
                if cells != Cells::default() {
                    state.minutes.insert(minute, cells);
                }
            }
            state
                .numbers
                .insert(span, stored.numbers(span, &mut known)?);
            let entities = stored.entities(span, &mut known, |_| true)?;
            for entity in &entities {
                state.totals.name(entity, true);
            }
            let by_id = entities
                .into_iter()
                .map(|entity| (Arc::clone(&entity.id), entity));
            state.entities.insert(span, by_id.collect());
        }
        let spans: Vec<_> = state.spans.iter().copied().collect();
        let nodes = expected(&state.sequences, state.floor);
        state.earlier = Earlier::load(stored, &spans, state.floor, nodes, &mut known);
        Ok(state)
    }

    /// Takes in what is durable now, and lets go of minutes that became old: the caller gets them, to free them when readers
    /// do not wait.
    #[must_use]
    pub(super) fn apply(&mut self, changes: Changes, now: UnixMs) -> Minutes {
        for (minute, staged) in changes.minutes {
            self.spans.insert(span_of(minute));
            let in_memory = minute >= self.floor;
            let mut cells = in_memory.then(|| self.minutes.entry(minute).or_default());
            for rows in staged.rows {
                let (from, to) = (rows.from, rows.to);
                for row in rows.rows {
                    let known = self.totals.add(row.hash, &row.key, row.counters, now);
                    if let Some(cells) = &mut cells {
                        let key = || known.map_or_else(|| Arc::new(row.key), Arc::clone);
                        cells.add(row.hash, row.counters, [from, to], key);
                    }
                }
            }
            if let Some(cells) = cells {
                cells.metrics.extend(staged.metrics);
                cells.coverage.extend(staged.coverage);
            } else {
                self.earlier.note(&staged.coverage);
            }
        }
        for (span, new) in changes.numbers {
            self.numbers.entry(span).or_default().extend(new.numbers);
        }
        for (span, entities) in changes.entities {
            let in_memory = span >= span_of(self.floor);
            for entity in entities.values() {
                self.totals.name(entity, in_memory);
            }
            if in_memory {
                self.entities.entry(span).or_default().extend(entities);
            }
        }
        self.sequences.nodes.extend(changes.sequences);
        self.counts += changes.counts;
        self.advance(now)
    }

    /// Lets go of what became old. The clock may go back; the floor does not.
    fn advance(&mut self, now: UnixMs) -> Minutes {
        self.totals.expire(now, &self.entities);
        let floor = floor_at(now);
        if floor <= self.floor {
            return Minutes::new();
        }
        self.floor = floor;
        self.entities = self.entities.split_off(&span_of(floor));
        self.numbers = self.numbers.split_off(&span_of(floor));
        let kept = self.minutes.split_off(&floor);
        let old = std::mem::replace(&mut self.minutes, kept);
        for cells in old.values() {
            self.earlier.note(&cells.coverage);
        }
        self.earlier.forget_before(floor);
        old
    }

    /// Lets go of what the store has dropped because it ended before `kept_from`.
    pub(super) fn forget(&mut self, kept_from: UnixMs, dropped: usize) {
        self.spans.retain(|span| end_of(*span) > kept_from);
        self.minutes
            .retain(|minute, _| end_of(span_of(*minute)) > kept_from);
        self.entities.retain(|span, _| end_of(*span) > kept_from);
        self.earlier.keep_after(kept_from);
        self.numbers.retain(|span, _| end_of(*span) > kept_from);
        self.sequences.forget(kept_from);
        self.counts.windows_dropped += dropped as u64;
    }

    /// Who reported before `first`; if that is more than memory knows, the nodes to look for in the store.
    pub(super) fn earlier_than(&self, first: Minute) -> Result<Earlier, HashSet<Arc<str>>> {
        if first < self.floor {
            return Err(expected(&self.sequences, first));
        }
        let mut earlier = self.earlier.clone();
        for (_, cells) in self.minutes.range(..first) {
            earlier.note(&cells.coverage);
        }
        earlier.forget_before(first);
        Ok(earlier)
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            minutes_in_memory: self.minutes.len(),
            rows_in_memory: self.minutes.values().map(|cells| cells.rows.len()).sum(),
            entities_in_memory: self.entities.values().map(HashMap::len).sum(),
            total_rows: self.totals.len(),
            nodes: self.sequences.nodes.len(),
            total_rows_overflowed: self.totals.overflowed(),
            windows: self.spans.len(),
            counts: self.counts,
        }
    }
}

/// Adding a report to a row.
pub(super) trait Widen {
    /// Makes the time of the row hold this one too.
    fn widen(&mut self, from: UnixMs, to: UnixMs);
}

impl Widen for Sum {
    fn widen(&mut self, from: UnixMs, to: UnixMs) {
        self.first_seen = self.first_seen.min(from);
        self.last_seen = self.last_seen.max(to);
    }
}
