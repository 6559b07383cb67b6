//! Everything the ledger knows of a time range: what a graph is made from.

use std::collections::{BTreeMap, HashMap};

use super::{AllDialed, Coverage, Entity, EntityId, Eras, Metrics, RowKey, Rows, UnixMs};

/// How long before a range a node's last report may be, milliseconds: one that reported since is expected, and its silence is
/// a gap. A day, so that whoever looks in the morning still sees what broke at night; a machine that was taken away for good
/// is not asked for longer.
pub const LOOK_BACK_MS: i64 = 24 * 3_600_000;

/// Everything the ledger knows of a time range.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Start of the range, at a full minute.
    pub from: UnixMs,
    /// End of the range: a full minute, or now.
    pub to: UnixMs,
    /// What is older has been dropped.
    pub kept_from: UnixMs,
    /// Every measured end with its counts.
    pub rows: Rows,
    /// The addresses that changed hands in the range.
    pub eras: Eras,
    /// What is known of addresses between the ends of some of them.
    pub dialed: HashMap<RowKey, AllDialed>,
    /// Every entity that `rows` mention, and those with metrics.
    pub entities: HashMap<EntityId, Entity>,
    /// Newest sample in the range by entity.
    pub metrics: HashMap<EntityId, Metrics>,
    /// What each node's agent could see, in order of time; neighbours that touch may be joined.
    pub coverage: BTreeMap<String, Vec<Coverage>>,
    /// The last report of each node before the range, at most [`LOOK_BACK_MS`] before it.
    pub before: BTreeMap<String, Coverage>,
}
