//! What is counted of it, for `/metrics`.

use crate::ingest::stats::{Count, Spent};

/// What is counted.
#[derive(Debug, Default)]
pub struct HistoryStats {
    /// Changes and Events written.
    pub written: Count,
    /// Changes and Events that were not, because too many waited or the store failed. A snapshot stands for them.
    pub lost: Count,
    /// Complete snapshots.
    pub snapshots: Count,
    /// Bytes of their parts.
    pub snapshot_bytes: Count,
    /// Writes that the store refused.
    pub failures: Count,
    /// Indexes made for past time ranges.
    pub rebuilds: Spent,
    /// Rows of the store read for them.
    pub rows_read: Count,
    /// Rows and snapshots that could not be read.
    pub unreadable: Count,
    /// Windows dropped because the retention was over.
    pub windows_dropped: Count,
}
