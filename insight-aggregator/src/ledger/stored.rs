//! What the store holds, read back.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::codec::{Named, hash_key};
use super::map::RowMap;
use super::numbers::{HashedKey, KeyNumber, Numbers};
use super::plan::Before;
use super::sequences::{NodeSequences, Sequences};
use super::state::{Agent, Cells, note_dialed, span_of};
use super::trace::Wanted;
use super::{codec, tables};
use crate::model::{Coverage, Entity, EntityId, Metrics, Minute, RowKey, UnixMs};
use crate::store::{Row, Scan, Store, WindowId};

/// Keeps what is read many times once.
#[derive(Default)]
pub(super) struct Known {
    names: HashSet<Arc<str>>,
    keys: RowMap<Arc<RowKey>>,
    /// The numbered keys of the span that was read last.
    numbered: Option<(WindowId, Vec<HashedKey>)>,
}

impl Known {
    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    /// The numbered keys of the span that a minute was just read of.
    pub(super) fn keys_of(&self, span: WindowId) -> &[HashedKey] {
        match &self.numbered {
            Some((of, numbered)) if *of == span => numbered,
            _ => &[],
        }
    }

    /// A key, which is decoded only the first time.
    fn key(&mut self, bytes: &[u8]) -> Result<HashedKey> {
        let hash = hash_key(bytes);
        if let Some(known) = self.keys.get(&hash) {
            return Ok((hash, Arc::clone(known)));
        }
        let key = Arc::new(codec::decode_key(bytes, |name| self.name(name))?);
        self.keys.insert(hash, Arc::clone(&key));
        Ok((hash, key))
    }
}

/// The store as the ledger reads it.
pub(super) struct Stored<'a>(pub(super) &'a dyn Store);

impl Stored<'_> {
    /// A minute; nothing when the store has none.
    pub(super) fn minute(&self, minute: Minute, known: &mut Known) -> Result<Cells> {
        let mut cells = Cells::default();
        let span = span_of(minute);
        self.read_keys(span, known)?;
        self.each(tables::EDGES, minute, |row| {
            add_rows(minute, &row, span, known, &mut cells, None)
        })?;
        self.each(tables::METRICS, minute, |row| {
            let id = known.name(std::str::from_utf8(&row.clustering)?);
            cells.metrics.insert(id, codec::decode_metrics(&row.value)?);
            Ok(())
        })?;
        cells.coverage = self.coverage_of(minute, None, known)?;
        Ok(cells)
    }

    /// What of a minute's rows is wanted, counted by the agents of these nodes, and what these could see.
    pub(super) fn wanted(
        &self,
        minute: Minute,
        wanted: &Wanted,
        nodes: &BTreeSet<String>,
        known: &mut Known,
    ) -> Result<Cells> {
        let mut cells = Cells::default();
        let (table, window) = (tables::EDGES, span_of(minute));
        self.read_keys(window, known)?;
        for node in nodes {
            let scan = Scan {
                range: tables::of_node(node),
                ..Scan::partition(table, window, tables::of_minute(minute))
            };
            let mut rows = self.0.scan(&scan)?.into_iter();
            let added = rows.try_for_each(|row| {
                // Other nodes' names may start with this one's.
                if tables::node_of_rows(&row.clustering) != Some(node.as_bytes()) {
                    return Ok(());
                }
                add_rows(minute, &row, window, known, &mut cells, Some(wanted))
            });
            codec::located(added, table, window)?;
            let coverage = self.coverage_of(minute, Some(node), known)?;
            cells.coverage.extend(coverage);
        }
        Ok(cells)
    }

    /// What agents could see of a minute: those of one node, or all.
    pub(super) fn coverage_of(
        &self,
        minute: Minute,
        only: Option<&str>,
        known: &mut Known,
    ) -> Result<HashMap<Agent, Vec<Coverage>>> {
        let mut of_minute = HashMap::new();
        let (table, window) = (tables::COVERAGE, span_of(minute));
        let scan = Scan {
            range: only.map_or((Bound::Unbounded, Bound::Unbounded), tables::of_node),
            ..Scan::partition(table, window, tables::of_minute(minute))
        };
        let taken = self.0.scan(&scan)?.into_iter().try_for_each(|row| {
            let (node, epoch) = tables::agent(&row.clustering).context("it names no agent")?;
            if only.is_none_or(|only| only == node) {
                let agent = (known.name(node), epoch);
                of_minute.insert(agent, codec::decode_coverage(&row.value)?);
            }
            Ok(())
        });
        codec::located(taken, table, window)?;
        Ok(of_minute)
    }

    /// Makes sure that the numbered keys of a span are known.
    pub(super) fn read_keys(&self, span: WindowId, known: &mut Known) -> Result<()> {
        if known.numbered.as_ref().is_some_and(|(of, _)| *of == span) {
            return Ok(());
        }
        let mut numbered = Vec::new();
        let scan = Scan::partition(tables::EDGES, span, tables::of_keys());
        let read = self.0.scan(&scan)?.into_iter().try_for_each(|row| {
            let first: [u8; 4] = row.clustering.as_slice().try_into()?;
            let first = KeyNumber::from_be_bytes(first);
            ensure!(
                first as usize == numbered.len(),
                "row keys from number {first} on follow {} others",
                numbered.len()
            );
            codec::each_key(&row.value, |key| {
                numbered.push(known.key(key)?);
                Ok(())
            })
        });
        codec::located(read, tables::EDGES, span)?;
        known.numbered = Some((span, numbered));
        Ok(())
    }

    /// The numbers of a span's keys.
    pub(super) fn numbers(&self, span: WindowId, known: &mut Known) -> Result<Numbers> {
        self.read_keys(span, known)?;
        let mut numbers = Numbers::default();
        numbers.extend(known.keys_of(span).iter().cloned());
        Ok(numbers)
    }

    fn each(
        &self,
        table: &'static str,
        minute: Minute,
        mut take: impl FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        let window = span_of(minute);
        let rows = self
            .0
            .scan(&Scan::partition(table, window, tables::of_minute(minute)))?;
        codec::located(rows.into_iter().try_for_each(&mut take), table, window)
    }

    /// The entities of a span whose id is wanted.
    pub(super) fn entities(
        &self,
        span: WindowId,
        known: &mut Known,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Arc<Entity>>> {
        let scan = Scan::partition(tables::ENTITIES, span, tables::of_span());
        let rows = self.0.scan(&scan)?;
        let entities = rows
            .iter()
            .filter(|row| std::str::from_utf8(&row.clustering).is_ok_and(&wanted))
            .map(|row| {
                Ok(Arc::new(codec::decode_entity(&row.value, |name| {
                    known.name(name)
                })?))
            });
        codec::located(entities.collect(), tables::ENTITIES, span)
    }

    /// The sequences of nodes that reported since `since`.
    pub(super) fn sequences(&self, since: UnixMs) -> Result<Sequences> {
        let scan = Scan::partition(tables::SEQUENCES, tables::FOREVER, tables::of_sequences());
        let mut sequences = Sequences::default();
        for row in self.0.scan(&scan)? {
            let node = std::str::from_utf8(&row.clustering)
                .context("a node's name is not UTF-8")
                .and_then(|node| Ok((node, codec::decode_sequences(&row.value)?)));
            let (node, known): (&str, NodeSequences) =
                codec::located(node, tables::SEQUENCES, tables::FOREVER)?;
            if known.at >= since {
                sequences.nodes.insert(node.into(), known);
            }
        }
        Ok(sequences)
    }

    /// The spans that the store has anything of.
    pub(super) fn spans(&self) -> Result<Vec<WindowId>> {
        let mut spans = Vec::new();
        for table in tables::BY_SPAN {
            spans.extend(self.0.windows(table)?);
        }
        spans.sort_unstable();
        spans.dedup();
        Ok(spans)
    }

    fn one<T>(
        &self,
        table: &'static str,
        minute: Minute,
        clustering: Vec<u8>,
        decode: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<Option<T>> {
        let window = span_of(minute);
        let scan = Scan::row(table, window, tables::of_minute(minute), clustering);
        let rows = self.0.scan(&scan)?;
        let value = rows.first().map(|row| decode(&row.value)).transpose();
        codec::located(value, table, window)
    }
}

/// Adds the rows of one value, or those of them that are wanted.
fn add_rows(
    minute: Minute,
    row: &Row,
    span: WindowId,
    known: &mut Known,
    cells: &mut Cells,
    wanted: Option<&Wanted>,
) -> Result<()> {
    let numbered = known.keys_of(span).len();
    codec::each_row(minute, &row.value, |key, sum, dialed| {
        let hash = match key {
            Named::Number(number) => {
                ensure!(
                    (number as usize) < numbered,
                    "no key has the number {number}"
                );
                if wanted.is_some_and(|wanted| !wanted.has_number(number as usize)) {
                    return Ok(());
                }
                cells.rows.add_numbered(number, &sum);
                known.keys_of(span)[number as usize].0
            }
            Named::Key(key) => {
                let (hash, key) = known.key(key)?;
                if wanted.is_some_and(|wanted| !wanted.has(&key)) {
                    return Ok(());
                }
                cells.rows.add_other(hash, &key, &sum);
                hash
            }
        };
        if !dialed.is_empty() {
            note_dialed(&mut cells.dialed, hash, &dialed);
        }
        Ok(())
    })
}

/// Asked for one by one: few reports are so late.
impl Before for Stored<'_> {
    fn metrics(&self, minute: Minute, id: &EntityId) -> Result<Option<Metrics>> {
        let clustering = id.as_bytes().to_vec();
        self.one(tables::METRICS, minute, clustering, codec::decode_metrics)
    }

    fn coverage(&self, minute: Minute, agent: &Agent) -> Result<Vec<Coverage>> {
        let clustering = tables::of_agent(agent);
        let known = self.one(tables::COVERAGE, minute, clustering, codec::decode_coverage)?;
        Ok(known.unwrap_or_default())
    }
}
