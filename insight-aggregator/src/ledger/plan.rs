//! What a group of reports changes: computed against memory, nothing changed yet.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Result;

use super::Outcome;
use super::codec::KeyHasher;
use super::map::{RowHash, RowMap};
use super::sequences::NodeSequences;
use super::state::{Agent, Cell, Cells, Entities, State, Widen as _, span_of};
use super::stats::Counts;
use crate::model::{
    Counters, Coverage, Entity, EntityId, Metrics, Minute, Report, RowKey, Sum, UnixMs,
};

/// A report may end so far in the future, milliseconds: clocks that NTP keeps differ by less. What ends later is taken as
/// of now.
const MAX_AHEAD: i64 = 5_000;

/// Coverages kept of one agent in one minute: an agent that exports each 100 ms has 600.
const MAX_COVERAGES: usize = 600;

/// A row that changed.
pub(super) struct StagedRow {
    /// As it is after the commit.
    pub(super) cell: Cell,
    /// What the commit adds to it; `active` is the newest.
    pub(super) delta: Counters,
    /// The report that touched it last: rows of one report with one key exist at the same time.
    report: usize,
}

/// What changed in one minute, as it is after the commit.
#[derive(Default)]
pub(super) struct StagedCells {
    pub(super) rows: RowMap<StagedRow>,
    pub(super) metrics: HashMap<EntityId, Metrics>,
    pub(super) coverage: HashMap<Agent, Vec<Coverage>>,
}

/// What a commit changes, as it is after the commit.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) minutes: BTreeMap<Minute, StagedCells>,
    pub(super) entities: Entities,
    pub(super) sequences: HashMap<Arc<str>, NodeSequences>,
    pub(super) counts: Counts,
}

/// What was stored of a minute before: where it is kept is the caller's matter.
pub(super) trait Before {
    /// A row of a minute.
    fn row(&self, minute: Minute, hash: RowHash) -> Result<Option<Sum>>;
    /// The sample of an entity.
    fn metrics(&self, minute: Minute, id: &EntityId) -> Result<Option<Metrics>>;
    /// The coverage of an agent.
    fn coverage(&self, minute: Minute, agent: &Agent) -> Result<Vec<Coverage>>;
}

/// Decides what becomes of each report, and what they change.
pub(super) fn plan(
    state: &State,
    before: &dyn Before,
    reports: Vec<Report>,
    now: UnixMs,
    retention: i64,
) -> Result<(Vec<Outcome>, Changes)> {
    let mut planner = Planner {
        state,
        before,
        changes: Changes::default(),
        hasher: KeyHasher::default(),
    };
    let mut outcomes = Vec::with_capacity(reports.len());
    for (index, report) in reports.into_iter().enumerate() {
        outcomes.push(planner.report(index, report, now, retention)?);
    }
    Ok((outcomes, planner.changes))
}

struct Planner<'a> {
    state: &'a State,
    before: &'a dyn Before,
    changes: Changes,
    hasher: KeyHasher,
}

impl<'a> Planner<'a> {
    fn report(
        &mut self,
        index: usize,
        mut report: Report,
        now: UnixMs,
        retention: i64,
    ) -> Result<Outcome> {
        let outcome = self.judge(&report, now);
        match outcome {
            Outcome::Duplicate => self.changes.counts.duplicates += 1,
            Outcome::Gap { .. } => self.changes.counts.gaps += 1,
            Outcome::Stored => {}
        }
        if outcome != Outcome::Stored {
            return Ok(outcome);
        }
        self.changes.counts.reports += 1;
        let coverage = &mut report.coverage;
        if coverage.to > now.saturating_add(MAX_AHEAD) {
            self.changes.counts.future_reports += 1;
            coverage.to = now;
        }
        if coverage.to <= now.saturating_sub(retention).max(0) {
            self.changes.counts.late_reports += 1;
            self.changes.counts.late_rows += report.rows.len() as u64;
            return Ok(outcome);
        }
        coverage.from = coverage.from.clamp(0, coverage.to);
        self.changes.counts.rows += report.rows.len() as u64;
        self.store(index, report)?;
        Ok(outcome)
    }

    /// Judges by sequence, and remembers the sequence of what is to be stored.
    fn judge(&mut self, report: &Report, now: UnixMs) -> Outcome {
        let known = self
            .changes
            .sequences
            .get(report.node.as_str())
            .or_else(|| self.state.sequences.nodes.get(report.node.as_str()));
        let outcome = known.map_or_else(
            || NodeSequences::default().judge(report.epoch, report.sequence, report.resumes),
            |known| known.judge(report.epoch, report.sequence, report.resumes),
        );
        if outcome == Outcome::Stored {
            let mut node = known.cloned().unwrap_or_default();
            node.advance(report.epoch, report.sequence, now);
            self.changes
                .sequences
                .insert(self.node_name(&report.node), node);
        }
        outcome
    }

    fn node_name(&self, name: &str) -> Arc<str> {
        self.state
            .sequences
            .nodes
            .get_key_value(name)
            .map_or_else(|| name.into(), |(known, _)| Arc::clone(known))
    }

    fn store(&mut self, index: usize, report: Report) -> Result<()> {
        // The end of a report is the first moment that it does not cover.
        let minute = Minute::of(report.coverage.to - 1);
        let agent = (self.node_name(&report.node), report.epoch);
        self.coverage(minute, agent, report.coverage)?;
        self.rows(index, minute, report.coverage, report.rows)?;
        self.metrics(minute, report.metrics)?;
        self.entities(minute, report.entities);
        Ok(())
    }

    fn rows(
        &mut self,
        index: usize,
        minute: Minute,
        coverage: Coverage,
        rows: Vec<(RowKey, Counters)>,
    ) -> Result<()> {
        let first_seen = coverage.from.max(minute.start());
        let staged = &mut self.changes.minutes.entry(minute).or_default().rows;
        staged.reserve(rows.len());
        let known = self.state.minutes.get(&minute);
        for (key, counters) in rows {
            let hash = self.hasher.hash(&key);
            match staged.entry(hash) {
                Entry::Occupied(entry) => {
                    let row = entry.into_mut();
                    row.add(index, counters);
                    row.cell.sum.widen(first_seen, coverage.to);
                }
                Entry::Vacant(entry) => {
                    let cell = known.and_then(|cells| cells.rows.get(&hash));
                    let sum = match cell {
                        Some(cell) => Some(cell.sum),
                        None if minute >= self.state.floor => None,
                        None => self.before.row(minute, hash)?,
                    };
                    let key = cell
                        .map(|cell| &cell.key)
                        .or_else(|| self.state.totals.key(hash))
                        .map_or_else(|| Arc::new(key), Arc::clone);
                    let mut sum = sum.unwrap_or(Sum {
                        counters: Counters::default(),
                        first_seen,
                        last_seen: coverage.to,
                    });
                    sum.counters += counters;
                    sum.widen(first_seen, coverage.to);
                    entry.insert(StagedRow {
                        cell: Cell { key, sum },
                        delta: counters,
                        report: index,
                    });
                }
            }
        }
        Ok(())
    }

    fn metrics(&mut self, minute: Minute, metrics: Vec<(EntityId, Metrics)>) -> Result<()> {
        for (id, sample) in metrics {
            let cells = self.cells(minute);
            let staged = &mut self.changes.minutes.entry(minute).or_default().metrics;
            let known = match (staged.get(&id), cells) {
                (Some(known), _) => Some(*known),
                (None, Some(cells)) => cells.metrics.get(&id).copied(),
                (None, None) if minute >= self.state.floor => None,
                (None, None) => self.before.metrics(minute, &id)?,
            };
            if known.is_none_or(|known| known.at <= sample.at) {
                staged.insert(id, sample);
            }
        }
        Ok(())
    }

    fn coverage(&mut self, minute: Minute, agent: Agent, coverage: Coverage) -> Result<()> {
        let cells = self.cells(minute);
        let staged = &mut self.changes.minutes.entry(minute).or_default().coverage;
        let mut known = match (staged.get(&agent), cells) {
            (Some(known), _) => known.clone(),
            (None, Some(cells)) => cells.coverage.get(&agent).cloned().unwrap_or_default(),
            (None, None) if minute >= self.state.floor => Vec::new(),
            (None, None) => self.before.coverage(minute, &agent)?,
        };
        if known.len() < MAX_COVERAGES {
            known.push(coverage);
        } else if let Some(last) = known.last_mut() {
            self.changes.counts.coverages_joined += 1;
            *last = Coverage {
                from: last.from,
                ..coverage
            };
        }
        staged.insert(agent, known);
        Ok(())
    }

    /// Names the entities that are new in this span or have changed.
    fn entities(&mut self, minute: Minute, entities: Vec<Entity>) {
        let span = span_of(minute);
        let known = self.state.entities.get(&span);
        let staged = self.changes.entities.entry(span).or_default();
        for entity in entities {
            let newest = staged
                .get(&entity.id)
                .or_else(|| known.and_then(|known| known.get(&entity.id)));
            if newest.is_none_or(|newest| **newest != entity) {
                staged.insert(Arc::clone(&entity.id), Arc::new(entity));
            }
        }
    }

    fn cells(&self, minute: Minute) -> Option<&'a Cells> {
        self.state.minutes.get(&minute)
    }
}

impl StagedRow {
    /// Adds more of a row that this commit has touched.
    fn add(&mut self, report: usize, counters: Counters) {
        if self.report == report {
            self.cell.sum.counters.add_peer(&counters);
            self.delta.add_peer(&counters);
        } else {
            self.cell.sum.counters += counters;
            self.delta += counters;
            self.report = report;
        }
    }
}
