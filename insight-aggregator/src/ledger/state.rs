//! What the ledger has in memory: the newest minutes, and what is needed to judge and to name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::map::RowMap;
use super::plan::Changes;
use super::sequences::Sequences;
use super::stats::{Counts, Stats};
use super::totals::TotalRows;
use crate::model::{Coverage, Entity, EntityId, Metrics, Minute, RowKey, Sum, UnixMs};
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

/// Entities by hour.
pub(super) type Entities = BTreeMap<WindowId, HashMap<EntityId, Arc<Entity>>>;

/// See the module.
pub(super) struct State {
    /// From this minute on, memory holds everything that the store holds.
    pub(super) floor: Minute,
    pub(super) minutes: BTreeMap<Minute, Cells>,
    /// Of the hours from the floor's on: what the store holds.
    pub(super) entities: Entities,
    pub(super) sequences: Sequences,
    pub(super) totals: TotalRows,
    pub(super) counts: Counts,
    /// Windows of the edge table in the store.
    pub(super) windows: usize,
}

/// The oldest minute to keep in memory at this time.
fn floor_at(now: UnixMs) -> Minute {
    Minute(Minute::of(now).0 - (MINUTES - 1))
}

/// The window that a minute is in: hours since 1970. What is before 1970 is in hour 0.
pub(super) fn hour_of(minute: Minute) -> WindowId {
    WindowId::try_from(minute.0.div_euclid(60)).unwrap_or(0)
}

impl State {
    /// Nothing but the time.
    pub(super) fn new(now: UnixMs) -> Self {
        Self {
            floor: floor_at(now),
            minutes: BTreeMap::new(),
            entities: BTreeMap::new(),
            sequences: Sequences::default(),
            totals: TotalRows::new(now),
            counts: Counts::default(),
            windows: 0,
        }
    }

    /// Takes in what is durable now, and lets go of minutes that became old.
    pub(super) fn apply(&mut self, changes: Changes, now: UnixMs) {
        for (minute, staged) in changes.minutes {
            let in_memory = minute >= self.floor;
            let mut cells = in_memory.then(|| self.minutes.entry(minute).or_default());
            for (hash, row) in staged.rows {
                self.totals.add(hash, &row.cell.key, row.delta, now);
                if let Some(cells) = &mut cells {
                    cells.rows.insert(hash, row.cell);
                }
            }
            if let Some(cells) = cells {
                cells.metrics.extend(staged.metrics);
                cells.coverage.extend(staged.coverage);
            }
        }
        for (hour, entities) in changes.entities {
            let in_memory = hour >= hour_of(self.floor);
            for entity in entities.values() {
                self.totals.name(entity, in_memory);
            }
            if in_memory {
                self.entities.entry(hour).or_default().extend(entities);
            }
        }
        self.sequences.nodes.extend(changes.sequences);
        self.counts += changes.counts;
        self.advance(now);
    }

    /// Lets go of what became old. The clock may go back; the floor does not.
    fn advance(&mut self, now: UnixMs) {
        self.totals.expire(now, &self.entities);
        let floor = floor_at(now);
        if floor > self.floor {
            self.floor = floor;
            self.minutes = self.minutes.split_off(&floor);
            self.entities = self.entities.split_off(&hour_of(floor));
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            minutes_in_memory: self.minutes.len(),
            rows_in_memory: self.minutes.values().map(|cells| cells.rows.len()).sum(),
            entities_in_memory: self.entities.values().map(HashMap::len).sum(),
            total_rows: self.totals.len(),
            nodes: self.sequences.nodes.len(),
            total_rows_overflowed: self.totals.overflowed(),
            windows: self.windows,
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
