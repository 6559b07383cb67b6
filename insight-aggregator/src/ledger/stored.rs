//! What the store holds, read back.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::map::{RowHash, RowMap};
use super::plan::Before;
use super::sequences::{NodeSequences, Sequences};
use super::state::{Agent, Cell, Cells, span_of};
use super::{codec, tables};
use crate::model::{Coverage, Entity, EntityId, Metrics, Minute, RowKey, Sum, UnixMs};
use crate::store::{Row, Scan, Store, WindowId};

/// Keeps what is read many times once.
#[derive(Default)]
pub(super) struct Known {
    names: HashSet<Arc<str>>,
    keys: RowMap<Arc<RowKey>>,
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

    /// The key of a row, which is decoded only the first time.
    fn key(&mut self, hash: RowHash, bytes: &[u8]) -> Result<Arc<RowKey>> {
        if let Some(known) = self.keys.get(&hash) {
            return Ok(Arc::clone(known));
        }
        let key = Arc::new(codec::decode_key(bytes, |name| self.name(name))?);
        self.keys.insert(hash, Arc::clone(&key));
        Ok(key)
    }
}

/// The store as the ledger reads it.
pub(super) struct Stored<'a>(pub(super) &'a dyn Store);

impl Stored<'_> {
    /// A minute; nothing when the store has none.
    pub(super) fn minute(&self, minute: Minute, known: &mut Known) -> Result<Cells> {
        let mut cells = Cells::default();
        self.each(tables::EDGES, minute, |row| {
            let hash = hash(&row.clustering)?;
            let (sum, key) = codec::decode_sum(minute, &row.value)?;
            let key = known.key(hash, key)?;
            cells.rows.insert(hash, Cell { key, sum });
            Ok(())
        })?;
        self.each(tables::METRICS, minute, |row| {
            let id = known.name(std::str::from_utf8(&row.clustering)?);
            cells.metrics.insert(id, codec::decode_metrics(&row.value)?);
            Ok(())
        })?;
        cells.coverage = self.coverage_of(minute, None, known)?;
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

/// Rows are asked for one by one: few reports are so late.
impl Before for Stored<'_> {
    fn row(&self, minute: Minute, hash: RowHash) -> Result<Option<Sum>> {
        let clustering = hash.to_be_bytes().to_vec();
        self.one(tables::EDGES, minute, clustering, |value| {
            Ok(codec::decode_sum(minute, value)?.0)
        })
    }

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

fn hash(clustering: &[u8]) -> Result<RowHash> {
    let hash = clustering.try_into().context("a row's key is no hash")?;
    Ok(RowHash::from_be_bytes(hash))
}
