//! What was counted since the process started: for Prometheus.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::map::{RowHash, RowMap};
use super::state::{Entities, note_dialed};
use super::window::in_era;
use crate::model::{AllDialed, Entity, EntityId, Eras, Minute, RowKey, Sum, UnixMs};

/// A row that did not change for so long is forgotten: an hour, which Prometheus' longest sensible scrape interval and
/// the agents' one-minute sign of life are far below. Milliseconds.
const IDLE: i64 = 3_600_000;

/// Idle rows are looked for this often, since it means a walk over all. Milliseconds.
const SWEEP: i64 = 300_000;

/// Rows kept: the 1,000,000 pod pairs that the aggregator is built for, about 250 MB.
const MAX_ROWS: usize = 1_000_000;

/// What was counted since this process started, by row.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Counts by row; `active` is the newest.
    pub rows: Vec<(Arc<RowKey>, Sum)>,
    /// The addresses that changed hands: their rows are kept apart.
    pub eras: Eras,
    /// What is known of addresses between the ends of some of them.
    pub dialed: HashMap<RowKey, AllDialed>,
    /// Every entity that `rows` mention, and a few more.
    pub entities: HashMap<EntityId, Arc<Entity>>,
    /// Changes of rows that there was no room for.
    pub overflowed: u64,
}

struct Total {
    key: Arc<RowKey>,
    sum: Sum,
    changed: UnixMs,
}

/// The totals as they grow.
pub(super) struct TotalRows {
    eras: Eras,
    rows: RowMap<Total>,
    dialed: RowMap<AllDialed>,
    entities: HashMap<EntityId, Arc<Entity>>,
    overflowed: u64,
    swept: UnixMs,
    max_rows: usize,
}

impl TotalRows {
    pub(super) fn new(now: UnixMs) -> Self {
        Self {
            eras: Eras::default(),
            rows: RowMap::default(),
            dialed: RowMap::default(),
            entities: HashMap::new(),
            overflowed: 0,
            swept: now,
            max_rows: MAX_ROWS,
        }
    }

    /// From now on rows are kept apart by these.
    pub(super) fn set_eras(&mut self, eras: Eras) {
        self.eras = eras;
    }

    /// Where what a report says of a row in this minute is added, if that is kept apart.
    pub(super) fn apart(
        &self,
        hash: RowHash,
        key: &RowKey,
        minute: Minute,
    ) -> Option<(RowHash, Arc<RowKey>)> {
        match self.eras.of(key, minute) {
            0 => None,
            era => Some(in_era(hash, key, era)),
        }
    }

    /// Adds what a report added to a row.
    pub(super) fn add(&mut self, hash: RowHash, key: &Arc<RowKey>, delta: Sum, now: UnixMs) {
        let room = self.rows.len() < self.max_rows;
        match self.rows.entry(hash) {
            Entry::Occupied(total) => {
                let total = total.into_mut();
                total.sum += delta;
                total.changed = now;
            }
            Entry::Vacant(place) if room => {
                place.insert(Total {
                    key: Arc::clone(key),
                    sum: delta,
                    changed: now,
                });
            }
            Entry::Vacant(_) => self.overflowed += 1,
        }
    }

    /// Notes addresses of a row that will be added.
    pub(super) fn dial(&mut self, hash: RowHash, dialed: &AllDialed) {
        if self.rows.contains_key(&hash) || self.rows.len() < self.max_rows {
            note_dialed(&mut self.dialed, hash, dialed);
        }
    }

    /// Takes the description of an entity, in place of the known one when it is the `newest`.
    pub(super) fn name(&mut self, entity: &Arc<Entity>, newest: bool) {
        let known = self.entities.entry(Arc::clone(&entity.id));
        match known {
            Entry::Occupied(mut known) if newest => drop(known.insert(Arc::clone(entity))),
            Entry::Occupied(_) => {}
            Entry::Vacant(known) => drop(known.insert(Arc::clone(entity))),
        }
    }

    /// Forgets rows that were idle for an hour, and entities that no row mentions and no report of `recent` hours.
    pub(super) fn expire(&mut self, now: UnixMs, recent: &Entities) {
        if now - self.swept < SWEEP {
            return;
        }
        self.swept = now;
        self.rows.retain(|_, total| now - total.changed <= IDLE);
        self.dialed.retain(|hash, _| self.rows.contains_key(hash));
        let named: HashSet<&EntityId> = self.rows.values().map(|total| &total.key.local).collect();
        self.entities.retain(|id, _| {
            named.contains(id) || recent.values().any(|span| span.contains_key(id))
        });
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    pub(super) fn snapshot(&self) -> Totals {
        Totals {
            rows: self
                .rows
                .values()
                .map(|total| (Arc::clone(&total.key), total.sum))
                .collect(),
            eras: self.eras.clone(),
            dialed: self
                .dialed
                .iter()
                .filter_map(|(hash, dialed)| {
                    let total = self.rows.get(hash)?;
                    Some((RowKey::clone(&total.key), dialed.clone()))
                })
                .collect(),
            entities: self.entities.clone(),
            overflowed: self.overflowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::key;
    use crate::model::Counters;

    #[test]
    fn a_full_table_counts_what_it_has_no_room_for() {
        let mut totals = TotalRows::new(0);
        totals.max_rows = 2;
        let one = Sum {
            counters: Counters {
                opened: 1,
                ..Counters::default()
            },
            first_seen: 0,
            last_seen: 1,
        };
        let key = Arc::new(key("a", 0));
        for hash in [1, 2, 3, 1, 3] {
            totals.add(hash, &key, one, 0);
        }
        let snapshot = totals.snapshot();
        assert_eq!((snapshot.rows.len(), snapshot.overflowed), (2, 2));
        assert_eq!(
            totals.rows[&1].sum.counters.opened, 2,
            "known rows still count"
        );
        totals.expire(IDLE + 1, &Entities::new());
        totals.add(3, &key, one, IDLE + 1);
        assert_eq!(totals.len(), 1, "room again");
    }
}
