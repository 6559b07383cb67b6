//! Where rows are kept: wide rows in tables that are cut into windows of time.
//!
//! A window is the unit of retention: dropping one gives its space back at once. Domain code sits above [`Store`] and is
//! tested once; every implementation passes the same contract tests.

mod access;
mod cassandra;
#[cfg(test)]
mod contract;
mod embedded;
#[cfg(test)]
pub(crate) mod kill;
mod limits;
mod memory;
mod open;

use std::ops::{Bound, RangeBounds};

use anyhow::Result;

pub use access::{Access, Secret};
pub use cassandra::Cassandra;
pub use cassandra::schema::{Replication, Schema, WrongSchema};
pub use embedded::Embedded;
pub use limits::{MAX_KEY, MAX_VALUE};
pub use memory::Memory;
pub use open::{is_url, open};

/// Start of a window, in units that the table chooses (the ledger: hours since 1970).
pub type WindowId = u64;

/// A table, for a store that makes tables beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Whether its rows are written again and again.
    pub overwritten: bool,
}

/// One row to write. A row with the same place replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Table name: lower-case letters, digits and `_`.
    pub table: &'static str,
    /// The window that the row lives and dies with.
    pub window: WindowId,
    /// Rows of one partition are kept together.
    pub partition: Vec<u8>,
    /// Order within the partition, bytewise.
    pub clustering: Vec<u8>,
    /// The content.
    pub value: Vec<u8>,
}

/// One row that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in the partition.
    pub clustering: Vec<u8>,
    /// Its content.
    pub value: Vec<u8>,
}

/// Which rows of a partition to read.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Table name.
    pub table: &'static str,
    /// Window.
    pub window: WindowId,
    /// Partition.
    pub partition: Vec<u8>,
    /// First and last clustering key.
    pub range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    /// Last row first.
    pub reverse: bool,
    /// At most so many rows.
    pub limit: usize,
}

impl Scan {
    /// The whole partition.
    pub fn partition(table: &'static str, window: WindowId, partition: Vec<u8>) -> Self {
        Self {
            table,
            window,
            partition,
            range: (Bound::Unbounded, Bound::Unbounded),
            reverse: false,
            limit: usize::MAX,
        }
    }

    /// One row.
    pub fn row(
        table: &'static str,
        window: WindowId,
        partition: Vec<u8>,
        clustering: Vec<u8>,
    ) -> Self {
        let range = (
            Bound::Included(clustering.clone()),
            Bound::Included(clustering),
        );
        Self {
            range,
            ..Self::partition(table, window, partition)
        }
    }

    /// Whether the range holds this clustering key.
    fn holds(&self, clustering: &[u8]) -> bool {
        let range = (
            self.range.0.as_ref().map(Vec::as_slice),
            self.range.1.as_ref().map(Vec::as_slice),
        );
        RangeBounds::<[u8]>::contains(&range, clustering)
    }

    /// Whether no row can be in it: nothing is asked for, the range ends before it starts, or no row may have such a
    /// partition.
    fn is_empty(&self) -> bool {
        use Bound::{Excluded, Included, Unbounded};
        let inverted = match (&self.range.0, &self.range.1) {
            (Unbounded, _) | (_, Unbounded) => false,
            (Included(from), Included(to)) => from > to,
            (Included(from) | Excluded(from), Included(to) | Excluded(to)) => from >= to,
        };
        inverted || self.limit == 0 || self.partition.len() > MAX_KEY
    }
}

/// A place to keep rows. Calls may block; an error leaves what is stored as it was.
///
/// [`Cassandra`] promises less in these points, and nothing less in others:
/// * While a batch of several partitions, or of more than a megabyte in one, is being put, a reader may see some of its rows. If the
///   writer dies meanwhile, that lasts until the store is opened the next time: then the batch is either made whole, or nothing of it
///   was written. Rows of one partition below that size are seen wholly or not at all.
/// * While too few nodes answer, `put` waits for them, however long. An error of it means that Cassandra refuses the rows themselves; it leaves
///   the batch like a writer that died, and no more can be put until the store is opened again.
/// * A dropped window's rows are unseen by who dropped it and not listed for anybody, but they go only when their time to live is over.
///   If rows are put into it again before that, the old ones are seen, too.
pub trait Store: Send + Sync {
    /// Writes all rows or none, durably: they are there after a crash once this returns, and a reader sees all of them
    /// or none. Of two rows with the same place the later one stays.
    fn put(&self, batch: Vec<Put>) -> Result<()>;

    /// Reads rows in order of their clustering key. A window that does not exist has no rows.
    fn scan(&self, scan: &Scan) -> Result<Vec<Row>>;

    /// The windows of a table, oldest first.
    fn windows(&self, table: &'static str) -> Result<Vec<WindowId>>;

    /// Forgets a window and everything in it. Dropping one that does not exist is fine.
    fn drop_window(&self, table: &'static str, window: WindowId) -> Result<()>;
}
