//! What is kept of what Kubernetes says. Nothing where nothing is kept.

use std::sync::Arc;

use super::text::{Kind, Text};
use crate::history::History;

/// Writes it.
pub(super) fn write(history: Option<&Arc<History>>, text: &mut Text) {
    let Some(history) = history else {
        return;
    };
    let stats = history.stats();
    for (name, help, count) in [
        (
            "insight_names_written_total",
            "Changes and Events of Kubernetes that were kept.",
            &stats.written,
        ),
        (
            "insight_names_lost_total",
            "Changes and Events that were not kept, because too many waited or the store failed. A snapshot stands for the changes.",
            &stats.lost,
        ),
        (
            "insight_names_snapshots_total",
            "Snapshots of all objects: one an hour, one at the start, and one after a loss.",
            &stats.snapshots,
        ),
        (
            "insight_names_snapshot_bytes_total",
            "Bytes of these snapshots.",
            &stats.snapshot_bytes,
        ),
        (
            "insight_names_write_failures_total",
            "Writes of names that the store refused.",
            &stats.failures,
        ),
        (
            "insight_names_rows_read_total",
            "Changes read for the names of past graphs.",
            &stats.rows_read,
        ),
        (
            "insight_names_unreadable_total",
            "Changes and snapshots that could not be read.",
            &stats.unreadable,
        ),
        (
            "insight_names_windows_dropped_total",
            "Windows of names dropped because the retention was over.",
            &stats.windows_dropped,
        ),
    ] {
        text.single(name, Kind::Counter, help, count.get());
    }
    text.summary(
        "insight_names_rebuild_seconds",
        "Time spent finding the names of past graphs.",
        &stats.rebuilds,
    );
}
