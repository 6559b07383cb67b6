//! What the ledger has in memory: the newest minutes, and what is needed to judge and to name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;

use super::earlier::{Earlier, expected};
use super::map::{RowHash, RowMap};
use super::numbers::Numbers;
use super::plan::{Changes, StagedKey};
use super::rows::Rows;
use super::sequences::Sequences;
use super::stats::{Counts, Stats};
use super::stored::{Known, Stored};
use super::totals::TotalRows;
use crate::model::{
    AllDialed, Coverage, Dialed, Entity, EntityId, Metrics, Minute, Sum, UnixMs, add_dialed,
};
use crate::store::WindowId;

/// Minutes in memory, the open one included: the 15 minutes that readers ask for by default, and the open one.
const MINUTES: i64 = 16;

/// Rows in memory, of all minutes together, beyond which older minutes are answered from the store; the newest two stay, since
/// reports come until they are full. Both ends of 1,000,000 edges in two minutes, 440 MB.
pub(super) const MAX_ROWS: usize = 4_000_000;

/// One agent start: node name, epoch.
pub(super) type Agent = (Arc<str>, u64);

/// Everything of one minute.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) rows: Rows,
    /// What is known of addresses between the ends of some of them.
    pub(super) dialed: RowMap<AllDialed>,
    pub(super) metrics: HashMap<EntityId, Metrics>,
    pub(super) coverage: HashMap<Agent, Vec<Coverage>>,
}

/// Notes addresses of a row; how many there was no room for.
pub(super) fn note_dialed<'a>(
    rows: &mut RowMap<AllDialed>,
    row: RowHash,
    more: impl IntoIterator<Item = &'a Dialed>,
) -> u64 {
    let all = rows.entry(row).or_default();
    let lost = more.into_iter().filter(|one| !add_dialed(all, **one));
    lost.count() as u64
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
    /// See [`MAX_ROWS`].
    max_rows: usize,
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
    fn new(now: UnixMs, max_rows: usize) -> Self {
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
            max_rows,
        }
    }

    /// What a ledger that stopped here would have in memory, its totals left out.
    pub(super) fn load(
        stored: &Stored<'_>,
        now: UnixMs,
        retention: i64,
        max_rows: usize,
    ) -> Result<Self> {
        let mut state = Self::new(now, max_rows);
        let mut known = Known::default();
        state.sequences = stored.sequences(now.saturating_sub(retention))?;
        state.spans = stored.spans()?.into_iter().collect();
        // The newest first: older ones only while there is room for them.
        for &span in state.spans.range(span_of(state.floor)..).rev() {
            for minute in minutes_of(span).rev() {
                if minute < state.floor {
                    break;
                }
                let cells = stored.minute(minute, &mut known)?;
                if cells != Cells::default() {
                    state.minutes.insert(minute, cells);
                    state.floor = state.floor.max(state.full_from(now));
                }
            }
            if span < span_of(state.floor) {
                break;
            }
            state
                .numbers
                .insert(span, stored.numbers(span, &mut known)?);
            let entities = stored.entities(span, &mut known, |_| true)?;
            for entity in &entities {
                state.totals.name(entity, false);
            }
            let by_id = entities
                .into_iter()
                .map(|entity| (Arc::clone(&entity.id), entity));
            state.entities.insert(span, by_id.collect());
        }
        let spans: Vec<_> = state.spans.iter().copied().collect();
        let nodes = expected(&state.sequences, state.floor);
        state.earlier = Earlier::load(stored, &spans, state.floor, nodes, &mut known);
        state.minutes = state.minutes.split_off(&state.floor);
        Ok(state)
    }

    /// Takes in what is durable now, and lets go of minutes that became old: the caller gets them, to free them when readers
    /// do not wait.
    #[must_use]
    pub(super) fn apply(&mut self, changes: Changes, now: UnixMs) -> Minutes {
        for (span, new) in changes.numbers {
            self.numbers.entry(span).or_default().extend(new.keys);
        }
        for (minute, staged) in changes.minutes {
            self.spans.insert(span_of(minute));
            let in_memory = minute >= self.floor;
            let mut cells = in_memory.then(|| self.minutes.entry(minute).or_default());
            let numbers = self.numbers.get(&span_of(minute));
            let keys = numbers.map_or(&[][..], Numbers::keys);
            for rows in staged.rows {
                for (place, row) in rows.rows.into_iter().enumerate() {
                    let key = match &row.key {
                        StagedKey::Numbered(number) => &keys[*number as usize].1,
                        StagedKey::Whole(key) => key,
                    };
                    let apart = self.totals.apart(row.hash, key, minute);
                    let (in_totals, of_total) = match &apart {
                        Some((hash, key)) => (*hash, key),
                        None => (row.hash, key),
                    };
                    if let Some(dialed) = rows.dialed.get(&place) {
                        self.totals.dial(in_totals, dialed);
                        if let Some(cells) = &mut cells {
                            self.counts.dialed_lost +=
                                note_dialed(&mut cells.dialed, row.hash, dialed);
                        }
                    }
                    let sum = Sum {
                        counters: row.counters,
                        first_seen: rows.from,
                        last_seen: rows.to,
                    };
                    self.totals.add(in_totals, of_total, sum, now);
                    match (&mut cells, row.key) {
                        (Some(cells), StagedKey::Numbered(number)) => {
                            cells.rows.add_numbered(number, &sum);
                        }
                        (Some(cells), StagedKey::Whole(key)) => {
                            cells.rows.add_other(row.hash, &key, &sum);
                        }
                        (None, _) => {}
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
        let floor = floor_at(now).max(self.full_from(now));
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

    /// The first of the newest minutes that have no more rows than there is room for.
    fn full_from(&self, now: UnixMs) -> Minute {
        let newest = Minute(Minute::of(now).0 - 1);
        let mut rows = 0;
        let mut older = self.minutes.iter().rev().skip_while(|(minute, cells)| {
            rows += cells.rows.len();
            **minute >= newest || rows <= self.max_rows
        });
        older
            .next()
            .map_or(self.floor, |(minute, _)| Minute(minute.0 + 1))
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
