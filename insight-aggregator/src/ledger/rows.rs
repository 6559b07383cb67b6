//! The rows of one minute: those whose key has a number by it, which takes little room, and the few others by hash.

use std::sync::Arc;

use super::map::{RowHash, RowMap};
use super::numbers::{HashedKey, KeyNumber};
use crate::model::{RowKey, Sum};

/// A row that has its key with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) key: Arc<RowKey>,
    pub(super) sum: Sum,
}

/// Rows by hash of their key.
pub(super) type CellMap = RowMap<Cell>;

/// Adds a later time of a row.
pub(super) fn add_cell(cells: &mut CellMap, hash: RowHash, key: &Arc<RowKey>, later: &Sum) {
    cells
        .entry(hash)
        .and_modify(|known| known.sum += *later)
        .or_insert_with(|| Cell {
            key: Arc::clone(key),
            sum: *later,
        });
}

/// The rows of one minute.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// By key number: 0 for none, or one more than the index in `sums`.
    places: Vec<u32>,
    sums: Vec<(KeyNumber, Sum)>,
    others: CellMap,
}

impl Rows {
    /// Adds a later time of a row whose key has a number.
    pub(super) fn add_numbered(&mut self, number: KeyNumber, later: &Sum) {
        let index = number as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, 0);
        }
        match self.places[index] {
            0 => {
                self.sums.push((number, *later));
                // There is one sum a number at most, so their count is no larger than a number.
                self.places[index] = u32::try_from(self.sums.len()).unwrap_or(0);
            }
            place => self.sums[place as usize - 1].1 += *later,
        }
    }

    /// Adds a later time of a row whose key has none.
    pub(super) fn add_other(&mut self, hash: RowHash, key: &Arc<RowKey>, later: &Sum) {
        add_cell(&mut self.others, hash, key, later);
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.sums.len() + self.others.len()
    }

    /// Every row, given the keys that the numbers stand for.
    pub(super) fn iter<'a>(
        &'a self,
        keys: &'a [HashedKey],
    ) -> impl Iterator<Item = (RowHash, &'a Arc<RowKey>, &'a Sum)> {
        let numbered = self.sums.iter().filter_map(|(number, sum)| {
            let (hash, key) = keys.get(*number as usize)?;
            Some((*hash, key, sum))
        });
        let others = self.others.iter();
        numbered.chain(others.map(|(hash, cell)| (*hash, &cell.key, &cell.sum)))
    }
}
