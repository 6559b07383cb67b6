//! What Kubernetes said at any time that is kept: for the names of past graphs, and for what changed when.
//!
//! The index notes its changes; [`recorder`] writes them with a snapshot each hour, away from the watches. For a past time range [`rebuild`] takes a snapshot
//! ([`snapshot`]) and applies the changes after it to an empty index, so that past names are found as those of now are. [`plan`] says which, and of which times nothing is
//! known. [`names`] chooses between now and then. [`form`] and [`rows`] are how it is stored.

mod cache;
mod changes;
mod form;
mod names;
mod plan;
mod queue;
mod rebuild;
mod recorder;
mod rows;
mod snapshot;
mod stats;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::kubernetes::{Directory, Index};
use crate::model::UnixMs;
use crate::store::Store;

pub use changes::{Happened, What};
pub use names::{Names, NamesOf, Reading};
pub use recorder::Recorder;
pub use rows::TABLE;
pub use stats::HistoryStats;

use cache::Cache;
use rebuild::Rebuild;

/// What a start reads of the time before it, milliseconds: live graphs go back 15 minutes.
const BEFORE_START: i64 = 1_200_000;
/// A window is kept so much longer than what is in it is asked for, milliseconds: the snapshot that a range begins with may be older than the range.
const KEPT_LONGER: i64 = 2 * rows::HOUR;

/// What is kept of Kubernetes in a store.
pub struct History {
    store: Arc<dyn Store>,
    /// Milliseconds.
    retention: i64,
    stats: Arc<HistoryStats>,
    /// Also held while an index is made: one at a time, each is as large as the living one.
    cache: Mutex<Cache>,
    living_since: AtomicI64,
}

impl fmt::Debug for History {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("History").finish_non_exhaustive()
    }
}

impl History {
    /// What `store` has, of the last `retention`. Until [`Self::begin`] the living index is taken to know nothing.
    pub fn new(store: Arc<dyn Store>, retention: Duration) -> Self {
        Self {
            store,
            retention: i64::try_from(retention.as_millis()).unwrap_or(i64::MAX),
            stats: Arc::default(),
            cache: Mutex::default(),
            living_since: AtomicI64::new(i64::MAX),
        }
    }

    /// What is counted.
    pub fn stats(&self) -> &Arc<HistoryStats> {
        &self.stats
    }

    /// Gives the living index what was known before this process was there, before it is filled and recorded. Blocks.
    pub fn begin(&self, directory: &Directory, now: UnixMs) -> Result<()> {
        let from = now - BEFORE_START;
        self.living_since.store(now, Ordering::SeqCst);
        let known = self.rebuild(from, now, now)?;
        if let Some(past) = known {
            directory.change(|index| index.begin_with(past));
        }
        // What is not recorded is not to be found there a second time.
        self.living_since.store(from, Ordering::SeqCst);
        Ok(())
    }

    /// Starts to record. Blocks for a moment.
    pub fn record(&self, directory: &Directory) -> Result<Recorder> {
        let (store, stats) = (Arc::clone(&self.store), Arc::clone(&self.stats));
        Recorder::start(store, directory, stats)
            .context("cannot start the thread that keeps what Kubernetes says")
    }

    /// The living index can be asked from then on.
    fn living_since(&self) -> UnixMs {
        self.living_since.load(Ordering::SeqCst)
    }

    /// The index of a past range; none if nothing was ever recorded. Blocks.
    fn index(&self, from: UnixMs, to: UnixMs, now: UnixMs) -> Result<Option<Arc<Index>>> {
        let to = to.min(now);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cache.get((from, to)) {
            return Ok(known);
        }
        let index = self.rebuild(from, to, now)?.map(Arc::new);
        // What is so near to now is still being written.
        if to < now - recorder::SETTLED_MS {
            cache.put((from, to), index.clone());
        }
        Ok(index)
    }

    fn rebuild(&self, from: UnixMs, to: UnixMs, now: UnixMs) -> Result<Option<Index>> {
        let started = Instant::now();
        let rebuild = Rebuild {
            store: &*self.store,
            stats: &self.stats,
            settled: now - recorder::SETTLED_MS,
        };
        let index = rebuild.index(from, to);
        self.stats.rebuilds.add(started.elapsed());
        index.context("reading what Kubernetes said in the past")
    }

    /// What changed after `from` until `to`, in order. Blocks.
    pub fn changes(&self, from: UnixMs, to: UnixMs) -> Result<Vec<Happened>> {
        let rebuild = Rebuild {
            store: &*self.store,
            stats: &self.stats,
            settled: to,
        };
        let before = rebuild.index(from, from)?;
        let mut index = before.unwrap_or_else(Index::of_the_past);
        let entries = rebuild.between(from, to, index.texts())?;
        Ok(changes::changes(&mut index, entries, from))
    }

    /// Drops windows that ended longer than the retention ago, and says how many.
    pub fn drop_expired(&self, now: UnixMs) -> Result<usize> {
        let kept_from = now
            .saturating_sub(self.retention)
            .saturating_sub(KEPT_LONGER);
        let mut dropped = 0;
        for window in self.store.windows(rows::NAMES)? {
            if rows::times_of(window).1 <= kept_from {
                self.store.drop_window(rows::NAMES, window)?;
                self.stats.windows_dropped.one();
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}
