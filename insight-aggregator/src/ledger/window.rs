//! Minutes become the answer for a time range.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::Result;

use super::earlier::Earlier;
use super::map::{RowHash, RowMap};
use super::numbers::{HashedKey, Numbers};
use super::rows::{CellMap, add_cell};
use super::state::{Cells, State, minutes_of, note_dialed, span_of};
use super::trace::Wanted;
use crate::model::{
    AllDialed, Coverage, Entity, EntityId, Eras, Metrics, Minute, RowKey, UnixMs, Window,
};
use crate::store::WindowId;

/// End of the year 9999: times are counted from 1970 to here, so that adding to one never overflows.
const END_OF_TIME: UnixMs = 253_402_300_799_999;

/// Full minutes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: Minute,
    pub(super) last: Minute,
}

impl Range {
    /// The minutes that a time range touches; at least the one that `from` is in.
    pub(super) fn new(from: UnixMs, to: UnixMs) -> Self {
        let minute = |at: UnixMs| Minute::of(at.clamp(0, END_OF_TIME));
        let first = minute(from);
        Self {
            first,
            last: minute(to.saturating_sub(1)).max(first),
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

    /// The range's minutes in these spans, before `end`.
    pub(super) fn minutes_of(
        self,
        spans: &[WindowId],
        end: Minute,
    ) -> impl Iterator<Item = Minute> {
        self.spans_of(spans, WindowId::MAX)
            .flat_map(minutes_of)
            .filter(move |minute| (self.first..=self.last).contains(minute) && *minute < end)
    }

    /// Those of the spans that the range touches, before `end`.
    pub(super) fn spans_of(
        self,
        spans: &[WindowId],
        end: WindowId,
    ) -> impl DoubleEndedIterator<Item = WindowId> {
        let touched = self.spans();
        spans
            .iter()
            .copied()
            .filter(move |span| touched.contains(span) && *span < end)
    }

    /// The first and last span.
    fn spans(self) -> RangeInclusive<WindowId> {
        span_of(self.first)..=span_of(self.last)
    }
}

/// Collects minutes, oldest first, and then the names of what is in them, newest first.
#[derive(Default)]
pub(super) struct Builder {
    /// Which rows are kept apart.
    eras: Eras,
    rows: CellMap,
    dialed: RowMap<AllDialed>,
    metrics: HashMap<EntityId, Metrics>,
    coverage: BTreeMap<String, Vec<Coverage>>,
    entities: HashMap<EntityId, Arc<Entity>>,
    /// Who reported before the range.
    pub(super) before: Earlier,
}

impl Builder {
    /// Nothing yet; rows at both sides of a change of hands will be kept apart.
    pub(super) fn new(eras: &Eras) -> Self {
        Self {
            eras: eras.clone(),
            ..Self::default()
        }
    }

    /// Adds what memory holds of the range.
    pub(super) fn add_memory(&mut self, state: &State, range: Range) {
        for (minute, cells) in state.minutes.range(range.first..=range.last) {
            let numbers = state.numbers.get(&span_of(*minute));
            self.add_minute(*minute, cells, numbers.map_or(&[], Numbers::keys));
        }
        // Rows that are older than memory may be of entities that only memory has.
        let all = range.first < state.floor;
        let wanted = self.wanted();
        let mut entities = HashMap::new();
        for (_, of_span) in state.entities.range(range.spans()) {
            let of_range = of_span
                .iter()
                .filter(|(id, _)| all || wanted.contains(&***id))
                .map(|(id, entity)| (Arc::clone(id), Arc::clone(entity)));
            entities.extend(of_range);
        }
        self.entities = entities;
    }

    /// Adds what memory holds of the range and is wanted, and what the agents of these nodes could see.
    pub(super) fn add_wanted(
        &mut self,
        state: &State,
        range: Range,
        wanted: &Wanted,
        nodes: &BTreeSet<String>,
    ) {
        for (minute, cells) in state.minutes.range(range.first..=range.last) {
            let numbers = state.numbers.get(&span_of(*minute));
            let keys = numbers.map_or(&[][..], Numbers::keys);
            let mut some = Cells::default();
            for (hash, key, sum) in cells.rows.iter(keys) {
                if wanted.has(key) {
                    some.rows.add_other(hash, key, sum);
                    if let Some(dialed) = cells.dialed.get(&hash) {
                        note_dialed(&mut some.dialed, hash, dialed);
                    }
                }
            }
            let coverage = cells.coverage.iter();
            let coverage = coverage.filter(|((node, _), _)| nodes.contains(&**node));
            some.coverage = coverage
                .map(|(agent, reports)| (agent.clone(), reports.clone()))
                .collect();
            self.add_minute(*minute, &some, keys);
        }
    }

    /// Adds a minute that is later than those before, with the keys that its numbers stand for.
    pub(super) fn add_minute(&mut self, minute: Minute, cells: &Cells, keys: &[HashedKey]) {
        let mut apart: RowMap<RowHash> = RowMap::default();
        for (hash, key, sum) in cells.rows.iter(keys) {
            match self.eras.of(key, minute) {
                0 => add_cell(&mut self.rows, hash, key, sum),
                era => {
                    let (of_era, key) = in_era(hash, key, era);
                    apart.insert(hash, of_era);
                    add_cell(&mut self.rows, of_era, &key, sum);
                }
            }
        }
        for (hash, dialed) in &cells.dialed {
            let hash = apart.get(hash).unwrap_or(hash);
            note_dialed(&mut self.dialed, *hash, dialed);
        }
        for (id, sample) in &cells.metrics {
            self.add_metrics(id, *sample);
        }
        for ((node, _), coverage) in &cells.coverage {
            self.add_coverage(node, coverage);
        }
    }

    /// Adds what is later than all before.
    pub(super) fn append(&mut self, later: Self) {
        if self.rows.is_empty() {
            self.rows = later.rows;
        } else {
            for (hash, cell) in later.rows {
                add_cell(&mut self.rows, hash, &cell.key, &cell.sum);
            }
        }
        for (hash, dialed) in later.dialed {
            note_dialed(&mut self.dialed, hash, &dialed);
        }
        for (id, sample) in later.metrics {
            self.add_metrics(&id, sample);
        }
        for (node, coverage) in later.coverage {
            self.add_coverage(&node, &coverage);
        }
        self.entities.extend(later.entities);
    }

    fn add_metrics(&mut self, id: &EntityId, sample: Metrics) {
        let known = self.metrics.entry(Arc::clone(id)).or_insert(sample);
        if known.at <= sample.at {
            *known = sample;
        }
    }

    fn add_coverage(&mut self, node: &str, coverage: &[Coverage]) {
        match self.coverage.get_mut(node) {
            Some(known) => known.extend(coverage),
            None => drop(self.coverage.insert(node.to_owned(), coverage.to_vec())),
        }
    }

    /// Ids of all that rows and metrics mention.
    fn wanted(&self) -> HashSet<&str> {
        let locals = self.rows.values().map(|cell| &*cell.key.local);
        locals.chain(self.metrics.keys().map(|id| &**id)).collect()
    }

    /// Adds those entities of a span that are mentioned and not named by a later span. `read` gets those that are wanted.
    pub(super) fn name(
        &mut self,
        read: impl FnOnce(&dyn Fn(&str) -> bool) -> Result<Vec<Arc<Entity>>>,
    ) -> Result<()> {
        let mut wanted = self.wanted();
        wanted.retain(|id| !self.entities.contains_key(*id));
        if wanted.is_empty() {
            return Ok(());
        }
        let named = read(&|id| wanted.contains(id))?;
        let named = named
            .into_iter()
            .map(|entity| (Arc::clone(&entity.id), entity));
        self.entities.extend(named);
        Ok(())
    }

    /// The answer, with the entities that it mentions.
    pub(super) fn finish(self, from: UnixMs, to: UnixMs) -> Window {
        let entities = self
            .wanted()
            .into_iter()
            .filter_map(|id| self.entities.get_key_value(id))
            .map(|(id, entity)| (Arc::clone(id), Entity::clone(entity)))
            .collect();
        let mut coverage = self.coverage;
        for of_node in coverage.values_mut() {
            of_node.sort_by_key(|coverage| (coverage.from, coverage.to));
        }
        let dialed = self.dialed.into_iter().filter_map(|(hash, dialed)| {
            let cell = self.rows.get(&hash)?;
            Some((RowKey::clone(&cell.key), dialed))
        });
        let dialed = dialed.collect();
        let rows = self
            .rows
            .into_values()
            .map(|cell| (cell.key, cell.sum))
            .collect();
        Window {
            from,
            to,
            kept_from: 0,
            rows,
            eras: self.eras,
            dialed,
            entities,
            metrics: self.metrics,
            coverage,
            before: self.before.by_node(),
        }
    }
}

/// A row's key and its hash in another part of the range.
pub(super) fn in_era(hash: RowHash, key: &RowKey, era: u16) -> (RowHash, Arc<RowKey>) {
    let key = RowKey { era, ..key.clone() };
    // The hash is a good one, so adding to it gives no other row's.
    (hash.wrapping_add(u128::from(era)), Arc::new(key))
}
