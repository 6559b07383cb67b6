//! Writes changes and snapshots, and up to when that was complete.

use std::sync::Arc;

use anyhow::Result;
use insight_proto::storage as stored;

use super::form::{self, Entry};
use super::queue::Queue;
use super::rows::{self, HOUR, NAMES};
use super::snapshot::{self, Image};
use super::stats::HistoryStats;
use crate::kubernetes::{Change, Directory, Hearing};
use crate::model::UnixMs;
use crate::store::{Put, Store};

/// A change is told of at most so long after its own time, milliseconds: it waits for the index's lock, and for those that came with it.
const SETTLED: i64 = 1_000;
/// Aggregators do not all write the hour's snapshot at once: the first one does within this time, milliseconds.
const SPREAD: u64 = 60_000;

/// Writes what one process hears. First of all a snapshot, and then changes; after a change was lost a snapshot again. Whoever reads takes such a one for what a list
/// of the API is: what is not in it is gone.
pub(super) struct Writer {
    store: Arc<dyn Store>,
    directory: Directory,
    queue: Arc<Queue>,
    stats: Arc<HistoryStats>,
    /// Since when all changes are written; none: a snapshot has to be made first.
    since: Option<UnixMs>,
    /// Until when.
    until: UnixMs,
    /// The hour of the last snapshot.
    hour: i64,
    /// A part of a snapshot, or a batch of changes, could not be written: not at once again.
    wait_until: UnixMs,
}

/// How long the store is left alone after an error, milliseconds.
const AFTER_FAILURE: i64 = 10_000;

impl Writer {
    /// One that has written nothing.
    pub(super) fn new(
        store: Arc<dyn Store>,
        directory: Directory,
        queue: Arc<Queue>,
        stats: Arc<HistoryStats>,
    ) -> Self {
        Self {
            store,
            directory,
            queue,
            stats,
            since: None,
            until: 0,
            hour: i64::MIN,
            wait_until: 0,
        }
    }

    /// Writes changes. `drained`: none waited at `now` but these.
    pub(super) fn write(&mut self, entries: &[Entry], drained: bool, now: UnixMs) {
        let last = entries.last().map_or(now, |last| last.at);
        let until = if drained { now } else { last } - SETTLED;
        self.until = self.until.max(until);
        if self.queue.take_lost() {
            self.since = None;
        }
        // Until there is a snapshot changes lead from nowhere: a list that is read again would only write older rows anew, with a later time.
        let leads = |entry: &&Entry| matches!(entry.change, Change::Occurred(_));
        let entries = entries
            .iter()
            .filter(|entry| self.since.is_some() || leads(entry));
        let rows: Vec<Put> = entries.map(rows::row).collect();
        let written = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        match self.put(rows.into_iter().chain(self.recorded()).collect()) {
            Ok(()) => self.stats.written.add(written),
            Err(error) => {
                self.stats.lost.add(written);
                self.failed(&error, now);
            }
        }
    }

    /// Makes a snapshot if it is time for one.
    pub(super) fn snapshot(&mut self, now: UnixMs) {
        let hour = rows::hour_of(now);
        let spread = i64::try_from(self.queue.writer % SPREAD).unwrap_or(0);
        let is_due = self.since.is_none() || (hour > self.hour && now - hour * HOUR >= spread);
        if !is_due || now < self.wait_until {
            return;
        }
        if self.since.is_some() && self.is_made(hour) {
            self.hour = hour;
            return;
        }
        let (image, order) = {
            let index = self.directory.read();
            let stale = Hearing::of(&index).stale;
            if index.is_empty() || stale.is_some_and(|stale| stale.since.is_none()) {
                // Not everything is known yet.
                return;
            }
            (Image::of(&index), self.queue.order())
        };
        match self.write_snapshot(&image, now, order) {
            Ok(bytes) => {
                self.stats.snapshots.one();
                self.stats.snapshot_bytes.add(bytes);
                self.hour = hour;
                if self.since.is_none() {
                    self.since = Some(now);
                    self.until = now;
                }
            }
            Err(error) => self.failed(&error, now),
        }
    }

    /// Everything is written, and no more will come.
    pub(super) fn finish(&mut self, now: UnixMs) {
        self.until = self.until.max(now);
        if let Err(error) = self.put(self.recorded().collect()) {
            self.failed(&error, now);
        }
    }

    /// Whether somebody has made a snapshot in this hour.
    fn is_made(&self, hour: i64) -> bool {
        let from = hour * HOUR;
        let window = rows::window_of(from);
        let found = snapshot::manifests(&*self.store, window, from, from + HOUR - 1);
        found.is_ok_and(|found| !found.is_empty())
    }

    fn write_snapshot(&self, image: &Image, now: UnixMs, order: u64) -> Result<u64> {
        let made = snapshot::make(image, now, self.queue.writer, order)?;
        for write in made.parts {
            self.put(write)?;
        }
        self.put(vec![made.manifest])?;
        Ok(made.bytes)
    }

    fn put(&self, puts: Vec<Put>) -> Result<()> {
        match puts.is_empty() {
            true => Ok(()),
            false => self.store.put(puts),
        }
    }

    fn failed(&mut self, error: &anyhow::Error, now: UnixMs) {
        self.stats.failures.one();
        if now >= self.wait_until {
            tracing::error!(
                error = format!("{error:#}"),
                "cannot keep what Kubernetes says; names of this time will be missing in past graphs"
            );
        }
        self.since = None;
        self.wait_until = now + AFTER_FAILURE;
    }

    /// The times in which all was recorded, as far as that is not written: a row for each window.
    fn recorded(&self) -> impl Iterator<Item = Put> + use<> {
        let (since, until, writer) = (self.since, self.until, self.queue.writer);
        let last = rows::window_of(until);
        let since = since.filter(|since| *since < until);
        let times = since.into_iter().flat_map(move |since| {
            // The window before was written to until a moment before its end.
            let first = rows::window_of(since).max(last.saturating_sub(1));
            (first..=last).map(move |window| {
                let (start, end) = rows::times_of(window);
                (window, since.max(start), until.min(end))
            })
        });
        times.map(move |(window, from, to)| Put {
            table: NAMES,
            window,
            partition: rows::of_recorded(),
            clustering: rows::pair(writer, rows::ordered(from)),
            value: form::encode(&stored::Recorded { from, to }),
        })
    }
}
