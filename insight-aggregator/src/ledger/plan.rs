//! What a group of reports changes: computed against memory, nothing changed yet.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Result;

use super::Outcome;
use super::codec::{KeyEncoder, hash_key};
use super::map::{RowHash, RowMap};
use super::numbers::{KeyNumber, NewNumbers};
use super::sequences::NodeSequences;
use super::state::{Agent, Cells, Entities, State, span_of};
use super::stats::Counts;
use crate::model::{
    AllDialed, Counters, Coverage, Dialed, Entity, EntityId, Metrics, Minute, Report, RowKey,
    UnixMs, add_dialed,
};
use crate::store::WindowId;

/// A report may end so far in the future, milliseconds: clocks that NTP keeps differ by less. What ends later is taken as
/// of now.
const MAX_AHEAD: i64 = 5_000;

/// Coverages kept of one agent in one minute: an agent that exports each 100 ms has 600.
const MAX_COVERAGES: usize = 600;

/// The key of a row that changed.
pub(super) enum StagedKey {
    Numbered(KeyNumber),
    Whole(Arc<RowKey>),
}

/// What a report adds to a row.
pub(super) struct StagedRow {
    pub(super) hash: RowHash,
    pub(super) key: StagedKey,
    pub(super) counters: Counters,
}

/// The rows of a report, each key once.
pub(super) struct StagedRows {
    pub(super) agent: Agent,
    pub(super) sequence: u64,
    /// The time that they cover within their minute.
    pub(super) from: UnixMs,
    pub(super) to: UnixMs,
    pub(super) rows: Vec<StagedRow>,
    /// What is known of addresses between the ends of some, by index.
    pub(super) dialed: HashMap<usize, AllDialed>,
}

/// What changed in one minute: rows by what is added to them, the others as they are after the commit.
#[derive(Default)]
pub(super) struct StagedCells {
    pub(super) rows: Vec<StagedRows>,
    pub(super) metrics: HashMap<EntityId, Metrics>,
    pub(super) coverage: HashMap<Agent, Vec<Coverage>>,
}

/// What a commit changes.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) minutes: BTreeMap<Minute, StagedCells>,
    pub(super) numbers: BTreeMap<WindowId, NewNumbers>,
    pub(super) entities: Entities,
    pub(super) sequences: HashMap<Arc<str>, NodeSequences>,
    pub(super) counts: Counts,
}

/// What was stored of a minute before: where it is kept is the caller's matter.
pub(super) trait Before {
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
        encoder: KeyEncoder::default(),
        seen: RowMap::default(),
    };
    let mut outcomes = Vec::with_capacity(reports.len());
    for report in reports {
        outcomes.push(planner.report(report, now, retention)?);
    }
    Ok((outcomes, planner.changes))
}

struct Planner<'a> {
    state: &'a State,
    before: &'a dyn Before,
    changes: Changes,
    encoder: KeyEncoder,
    /// Places of a report's rows; only there to be used again.
    seen: RowMap<usize>,
}

impl<'a> Planner<'a> {
    fn report(&mut self, mut report: Report, now: UnixMs, retention: i64) -> Result<Outcome> {
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
        self.store(report)?;
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

    fn store(&mut self, report: Report) -> Result<()> {
        // The end of a report is the first moment that it does not cover.
        let minute = Minute::of(report.coverage.to - 1);
        let agent = (self.node_name(&report.node), report.epoch);
        self.coverage(minute, agent.clone(), report.coverage)?;
        let (rows, dialed) = self.rows(minute, report.rows, &report.dialed);
        let staged = StagedRows {
            agent,
            sequence: report.sequence,
            from: report.coverage.from.max(minute.start()),
            to: report.coverage.to,
            rows,
            dialed,
        };
        let cells = self.changes.minutes.entry(minute).or_default();
        cells.rows.push(staged);
        self.metrics(minute, report.metrics)?;
        self.entities(minute, report.entities);
        Ok(())
    }

    /// Makes the rows of a report with one key, which exist at the same time, one, and finds the numbers of their keys.
    ///
    /// New numbers are only given in minutes that memory holds: who reads an older minute from the store then has all the
    /// numbers in it, whatever is committed meanwhile.
    fn rows(
        &mut self,
        minute: Minute,
        rows: Vec<(RowKey, Counters)>,
        dialed: &[(usize, Dialed)],
    ) -> (Vec<StagedRow>, HashMap<usize, AllDialed>) {
        let span = span_of(minute);
        let known = self.state.numbers.get(&span);
        let mut new = (minute >= self.state.floor).then(|| {
            let numbers = &mut self.changes.numbers;
            numbers
                .entry(span)
                .or_insert_with(|| NewNumbers::after(known))
        });
        let mut staged: Vec<StagedRow> = Vec::with_capacity(rows.len());
        self.seen.clear();
        self.seen.reserve(rows.len());
        // Where each row went.
        let mut places = Vec::with_capacity(rows.len());
        for (key, counters) in rows {
            let hash = hash_key(self.encoder.encode(&key));
            match self.seen.entry(hash) {
                Entry::Occupied(place) => {
                    places.push(*place.get());
                    staged[*place.get()].counters.add_peer(&counters);
                }
                Entry::Vacant(place) => {
                    places.push(staged.len());
                    place.insert(staged.len());
                    let number = new.as_mut().and_then(|new| {
                        let known = known.and_then(|known| known.of(hash));
                        known.or_else(|| new.of(hash, &key))
                    });
                    if number.is_none() && new.is_some() {
                        self.changes.counts.unnumbered_rows += 1;
                    }
                    let key =
                        number.map_or_else(|| StagedKey::Whole(Arc::new(key)), StagedKey::Numbered);
                    staged.push(StagedRow {
                        hash,
                        key,
                        counters,
                    });
                }
            }
        }
        let mut by_place: HashMap<usize, AllDialed> = HashMap::new();
        for (row, one) in dialed {
            if let Some(place) = places.get(*row)
                && !add_dialed(by_place.entry(*place).or_default(), *one)
            {
                self.changes.counts.dialed_lost += 1;
            }
        }
        (staged, by_place)
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
