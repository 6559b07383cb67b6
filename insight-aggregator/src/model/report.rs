//! What one agent says of one interval, decoded and named.

use super::{Counters, Dialed, Entity, EntityId, RowKey, UnixMs};

/// One batch of one agent, checked and with its ends named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Node name.
    pub node: String,
    /// Distinguishes starts of the agent.
    pub epoch: u64,
    /// Counts up by one from 1 within an epoch.
    pub sequence: u64,
    /// The first of a stream: the agent was told what is durable and has nothing older that is not.
    pub resumes: bool,
    /// What the batch covers.
    pub coverage: Coverage,
    /// What was added since the batch before; `active` is a state.
    pub rows: Vec<(RowKey, Counters)>,
    /// What is known of addresses between the ends of some rows, by index of the row.
    pub dialed: Vec<(usize, Dialed)>,
    /// Every entity that `rows` and `metrics` mention.
    pub entities: Vec<Entity>,
    /// CPU and memory by entity.
    pub metrics: Vec<(EntityId, Metrics)>,
}

/// How much of some time one node's agent could see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Start of the time.
    pub from: UnixMs,
    /// End of the time.
    pub to: UnixMs,
    /// The agent's export interval, milliseconds.
    pub interval_ms: u32,
    /// Bytes of open connections were read.
    pub live_readout: bool,
    /// Flow updates lost so far in this epoch.
    pub dropped_updates: u64,
    /// The agent was told to stop, and this is its last report.
    pub stopping: bool,
}

/// CPU and memory of an entity at one moment; see `MetricSample` in `flow.proto` for units and formulas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// When it was read.
    pub at: UnixMs,
    /// CPU time used so far, nanoseconds.
    pub cpu_usage_ns: Option<u64>,
    /// User part of it.
    pub cpu_user_ns: Option<u64>,
    /// System part of it.
    pub cpu_system_ns: Option<u64>,
    /// CFS periods that passed.
    pub cfs_periods: Option<u64>,
    /// Periods in which it was throttled.
    pub cfs_throttled_periods: Option<u64>,
    /// Time throttled, nanoseconds.
    pub cfs_throttled_ns: Option<u64>,
    /// CPU limit, thousandths of a core.
    pub cpu_limit_millicores: Option<u64>,
    /// Memory in use, bytes.
    pub memory_usage_bytes: Option<u64>,
    /// Working set, bytes.
    pub memory_working_set_bytes: Option<u64>,
    /// Anonymous memory, bytes.
    pub memory_rss_bytes: Option<u64>,
    /// File cache, bytes.
    pub memory_cache_bytes: Option<u64>,
    /// Memory limit, bytes.
    pub memory_limit_bytes: Option<u64>,
    /// OOM kills so far.
    pub oom_kills: Option<u64>,
    /// Time that threads waited for a CPU, nanoseconds.
    pub run_delay_ns: Option<u64>,
    /// Times that threads got a CPU.
    pub runs: Option<u64>,
}
