//! Rows in memory: for tests, and for trying the aggregator out.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use anyhow::Result;

use super::{Put, Row, Scan, Store, WindowId, limits};

/// Place of a row within its window: partition, clustering key.
type Place = (Vec<u8>, Vec<u8>);
type Rows = BTreeMap<Place, Vec<u8>>;

/// A store that forgets everything when the process ends.
#[derive(Debug, Default)]
pub struct Memory {
    windows: RwLock<BTreeMap<(&'static str, WindowId), Rows>>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for Memory {
    fn put(&self, batch: Vec<Put>) -> Result<()> {
        limits::check(&batch)?;
        let mut windows = self.windows.write().unwrap_or_else(PoisonError::into_inner);
        for put in batch {
            windows
                .entry((put.table, put.window))
                .or_default()
                .insert((put.partition, put.clustering), put.value);
        }
        Ok(())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>> {
        let windows = self.windows.read().unwrap_or_else(PoisonError::into_inner);
        let Some(rows) = windows.get(&(scan.table, scan.window)) else {
            return Ok(Vec::new());
        };
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        let place = |clustering: &Vec<u8>| (scan.partition.clone(), clustering.clone());
        let from = match &scan.range.0 {
            Bound::Unbounded => Bound::Included(place(&Vec::new())),
            bound => bound.as_ref().map(place),
        };
        let found = rows
            .range((from, Bound::Unbounded))
            .take_while(|((partition, clustering), _)| {
                *partition == scan.partition && scan.holds(clustering)
            })
            .map(|((_, clustering), value)| Row {
                clustering: clustering.clone(),
                value: value.clone(),
            });
        if scan.reverse {
            let mut found: Vec<Row> = found.collect();
            found.reverse();
            found.truncate(scan.limit);
            return Ok(found);
        }
        Ok(found.take(scan.limit).collect())
    }

    fn windows(&self, table: &'static str) -> Result<Vec<WindowId>> {
        let windows = self.windows.read().unwrap_or_else(PoisonError::into_inner);
        Ok(windows
            .range((table, 0)..=(table, WindowId::MAX))
            .map(|((_, window), _)| *window)
            .collect())
    }

    fn drop_window(&self, table: &'static str, window: WindowId) -> Result<()> {
        self.windows
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(table, window));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;
    use crate::store::contract::contract_tests;

    contract_tests!(((), Memory::new()));
}
