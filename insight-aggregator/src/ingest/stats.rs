//! What the ingest counts about itself, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds one.
    pub fn one(&self) {
        self.add(1);
    }

    /// Adds some.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Time spent, and how many times.
#[derive(Debug, Default)]
pub struct Spent {
    nanos: Count,
    times: Count,
}

impl Spent {
    /// Adds one piece of work.
    pub fn add(&self, time: Duration) {
        self.nanos
            .add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        self.times.one();
    }

    /// Seconds in all.
    pub fn seconds(&self) -> f64 {
        self.nanos.get() as f64 / 1e9
    }

    /// Pieces of work.
    pub fn times(&self) -> u64 {
        self.times.get()
    }
}

/// What the ingest counts about itself.
#[derive(Debug, Default)]
pub struct IngestStats {
    /// Batches made durable.
    pub stored: Count,
    /// Batches that were durable already.
    pub duplicates: Count,
    /// Batches refused because those before them are missing.
    pub gaps: Count,
    /// Batches refused because they cannot be right.
    pub bad: Count,
    /// Batches that could not be made durable.
    pub failed: Count,
    /// Flow rows made durable.
    pub rows: Count,
    /// Group commits.
    pub commits: Spent,
    /// Decoding and checking batches.
    pub decodes: Spent,
    /// Streams refused, for whatever reason.
    pub refused_streams: Count,
}
