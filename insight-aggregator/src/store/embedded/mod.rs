//! Rows in a folder of this machine: fjall, a log-structured merge tree, one tree for each window of each table.
//!
//! Dropping a window deletes its tree, which gives the space back at once. Readers use the snapshot that was taken when
//! the last write was complete: fjall publishes the end of a background flush to every reader, and with it the part of a
//! batch that is applied so far, so a snapshot taken at any other time may hold half a batch.

mod folder;
mod key;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};

use anyhow::{Context as _, Result};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _, Snapshot};

use super::{Put, Row, Scan, Store, WindowId, limits};
use folder::Folder;

/// In-memory part of one tree, bytes. fjall has no bound for all trees together; those of the open hour are written, so
/// this times the tables is what the store takes, and twice that while it is flushed.
const MEMTABLE: u64 = 8 << 20;

/// Log kept for trees that are not flushed yet, bytes; the least that fjall takes. It is read again at the next start, and
/// it bounds what the in-memory parts of past hours' trees, too small to be flushed by themselves, take together.
const MAX_LOG: u64 = 64 << 20;

/// Cache of blocks read from disk, bytes.
const CACHE: u64 = 32 << 20;

/// Threads that flush and compact. Of two or more, the first hands each compaction back to the queue it came from, and so
/// spins for as long as the others compact (fjall 3.1.13, `worker_pool.rs`).
const WORKERS: usize = 1;

/// A row as fjall takes it: tree, key, value.
type Item = (Keyspace, Vec<u8>, Vec<u8>);

type Windows = BTreeMap<(String, WindowId), Keyspace>;

/// A store in a folder of this machine. One process at a time.
pub struct Embedded {
    /// Everything up to the last complete write.
    snapshot: RwLock<Snapshot>,
    windows: RwLock<Windows>,
    /// Held while something is written or dropped.
    writer: Mutex<()>,
    database: Database,
    folder: Folder,
}

impl Embedded {
    /// Opens the store in this folder, which is made when it does not exist. Errors, and changes nothing, when the folder
    /// holds something else or a newer version's store, cannot be written, or is in use.
    pub fn open(dir: &Path) -> Result<Self> {
        let folder = Folder::open(dir)?;
        let database = Database::builder(folder.rows())
            .max_journaling_size(MAX_LOG)
            .cache_size(CACHE)
            .worker_threads(WORKERS)
            .open()
            .with_context(|| {
                format!(
                    "opening the rows in {}; restore the folder from a backup, or name another one to start anew",
                    folder.rows().display()
                )
            })?;
        let mut windows = Windows::new();
        for name in database.list_keyspace_names() {
            if let Some(place) = parse_name(&name) {
                let tree = database.keyspace(&name, options)?;
                windows.insert(place, tree);
            }
        }
        Ok(Self {
            snapshot: RwLock::new(database.snapshot()),
            windows: RwLock::new(windows),
            writer: Mutex::new(()),
            database,
            folder,
        })
    }

    /// The tree of a window, if there is one.
    fn tree(&self, table: &str, window: WindowId) -> Option<Keyspace> {
        let windows = self.windows.read().unwrap_or_else(PoisonError::into_inner);
        windows.get(&(table.to_owned(), window)).cloned()
    }

    /// The tree of a window, made if need be.
    fn make_tree(&self, table: &str, window: WindowId) -> Result<Keyspace> {
        if let Some(tree) = self.tree(table, window) {
            return Ok(tree);
        }
        let tree = self
            .database
            .keyspace(&format!("{table}.{window}"), options)?;
        let mut windows = self.windows.write().unwrap_or_else(PoisonError::into_inner);
        windows.insert((table.to_owned(), window), tree.clone());
        Ok(tree)
    }

    /// The rows as fjall takes them: in order, each place once, since one batch is one moment to fjall and it would keep
    /// either of two.
    fn arrange(&self, batch: Vec<Put>) -> Result<Vec<Item>> {
        let mut trees: Vec<(&'static str, WindowId, Keyspace)> = Vec::new();
        let mut rows = Vec::with_capacity(batch.len());
        for put in batch {
            let known = trees
                .iter()
                .rposition(|(table, window, _)| *window == put.window && *table == put.table);
            let tree = match known {
                Some(tree) => tree,
                None => {
                    let tree = self.make_tree(put.table, put.window)?;
                    trees.push((put.table, put.window, tree));
                    trees.len() - 1
                }
            };
            let key = key::encode(&put.partition, &put.clustering);
            rows.push((tree, key, put.value));
        }
        rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        rows.dedup_by(|later, kept| {
            let same = later.0 == kept.0 && later.1 == kept.1;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        Ok(rows
            .into_iter()
            .map(|(tree, key, value)| (trees[tree].2.clone(), key, value))
            .collect())
    }
}

impl Store for Embedded {
    fn put(&self, batch: Vec<Put>) -> Result<()> {
        limits::check(&batch)?;
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = self
            .arrange(batch)
            .with_context(|| format!("making a window in {}", self.folder.dir().display()))?;
        let count = rows.len();
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (tree, key, value) in rows {
            batch.insert(&tree, key, value);
        }
        batch.commit().with_context(|| {
            format!(
                "writing {count} rows to {}; after a failed write the store takes no more until it is opened again: \
                 make sure that the disk is healthy and has room, then restart",
                self.folder.dir().display()
            )
        })?;
        let complete = self.database.snapshot();
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = complete;
        Ok(())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>> {
        let Some(tree) = self.tree(scan.table, scan.window) else {
            return Ok(Vec::new());
        };
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        let snapshot = self
            .snapshot
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let found = snapshot.range(&tree, key::range(&scan.partition, &scan.range));
        let row = |found: fjall::Guard| -> Result<Row> {
            let (key, value) = found.into_inner().with_context(|| {
                format!(
                    "reading {}.{} in {}",
                    scan.table,
                    scan.window,
                    self.folder.dir().display()
                )
            })?;
            Ok(Row {
                clustering: key::clustering(&key, &scan.partition).to_vec(),
                value: value.to_vec(),
            })
        };
        if scan.reverse {
            found.rev().take(scan.limit).map(row).collect()
        } else {
            found.take(scan.limit).map(row).collect()
        }
    }

    fn windows(&self, table: &'static str) -> Result<Vec<WindowId>> {
        let windows = self.windows.read().unwrap_or_else(PoisonError::into_inner);
        let first = (table.to_owned(), WindowId::MIN);
        let last = (table.to_owned(), WindowId::MAX);
        Ok(windows
            .range(first..=last)
            .map(|((_, window), _)| *window)
            .collect())
    }

    fn drop_window(&self, table: &'static str, window: WindowId) -> Result<()> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tree) = self.tree(table, window) else {
            return Ok(());
        };
        self.database.delete_keyspace(tree).with_context(|| {
            format!(
                "dropping {table}.{window} in {}",
                self.folder.dir().display()
            )
        })?;
        let mut windows = self.windows.write().unwrap_or_else(PoisonError::into_inner);
        windows.remove(&(table.to_owned(), window));
        Ok(())
    }
}

/// How a tree for one window is made.
fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE)
}

/// The table and window that a tree's name says, `TABLE.WINDOW`.
fn parse_name(name: &str) -> Option<(String, WindowId)> {
    let (table, window) = name.rsplit_once('.')?;
    Some((table.to_owned(), window.parse().ok()?))
}

#[cfg(test)]
mod tests;
