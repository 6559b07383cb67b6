//! Minutes become the answer for a time range.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::map::RowMap;
use super::state::{Cell, Cells, State, Widen as _, hour_of};
use crate::model::{Coverage, Entity, EntityId, Metrics, Minute, UnixMs, Window};
use crate::store::WindowId;

/// Full minutes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: Minute,
    pub(super) last: Minute,
}

impl Range {
    /// The minutes that a time range touches; at least the one that `from` is in.
    pub(super) fn new(from: UnixMs, to: UnixMs) -> Self {
        let first = Minute::of(from);
        Self {
            first,
            last: Minute::of(to.saturating_sub(1)).max(first),
        }
    }

    /// Start of the range.
    pub(super) fn from(self) -> UnixMs {
        self.first.start()
    }

    /// End of the range; the open minute ends now.
    pub(super) fn to(self, now: UnixMs) -> UnixMs {
        self.last.end().min(now).max(self.from())
    }

    pub(super) fn holds(self, minute: Minute) -> bool {
        (self.first..=self.last).contains(&minute)
    }

    /// The first and last hour.
    pub(super) fn hours(self) -> std::ops::RangeInclusive<WindowId> {
        hour_of(self.first)..=hour_of(self.last)
    }
}

/// Collects minutes, oldest first.
#[derive(Default)]
pub(super) struct Builder {
    rows: RowMap<Cell>,
    metrics: HashMap<EntityId, Metrics>,
    coverage: BTreeMap<String, Vec<Coverage>>,
    /// Of the hours of the range, newer ones in place of older.
    entities: HashMap<EntityId, Arc<Entity>>,
}

impl Builder {
    /// Adds what memory holds of the range.
    pub(super) fn add_memory(&mut self, state: &State, range: Range) {
        for (_, cells) in state.minutes.range(range.first..=range.last) {
            self.add_minute(cells);
        }
        for (_, entities) in state.entities.range(range.hours()) {
            self.add_entities(entities.values());
        }
    }

    /// Adds a minute that is later than those before.
    pub(super) fn add_minute(&mut self, cells: &Cells) {
        for (hash, cell) in &cells.rows {
            self.rows
                .entry(*hash)
                .and_modify(|known| {
                    known.sum.counters += cell.sum.counters;
                    known.sum.widen(cell.sum.first_seen, cell.sum.last_seen);
                })
                .or_insert_with(|| cell.clone());
        }
        for (id, sample) in &cells.metrics {
            let known = self.metrics.entry(Arc::clone(id)).or_insert(*sample);
            if known.at <= sample.at {
                *known = *sample;
            }
        }
        for ((node, _), coverage) in &cells.coverage {
            match self.coverage.get_mut(&**node) {
                Some(known) => known.extend(coverage),
                None => drop(self.coverage.insert(node.to_string(), coverage.clone())),
            }
        }
    }

    /// Adds the entities of an hour that is later than those before.
    pub(super) fn add_entities<'a>(&mut self, entities: impl Iterator<Item = &'a Arc<Entity>>) {
        self.entities
            .extend(entities.map(|entity| (Arc::clone(&entity.id), Arc::clone(entity))));
    }

    /// The answer, with the entities that it mentions.
    pub(super) fn finish(self, from: UnixMs, to: UnixMs) -> Window {
        let mut entities = HashMap::new();
        let mut name = |id: &EntityId| {
            if let Some(entity) = self.entities.get(id)
                && !entities.contains_key(id)
            {
                entities.insert(Arc::clone(id), Entity::clone(entity));
            }
        };
        self.metrics.keys().for_each(&mut name);
        self.rows.values().for_each(|cell| name(&cell.key.local));
        let mut coverage = self.coverage;
        for of_node in coverage.values_mut() {
            of_node.sort_by_key(|coverage| (coverage.from, coverage.to));
        }
        let rows = self.rows.into_values();
        Window {
            from,
            to,
            rows: rows
                .map(|cell| (Arc::unwrap_or_clone(cell.key), cell.sum))
                .collect(),
            entities,
            metrics: self.metrics,
            coverage,
        }
    }
}
