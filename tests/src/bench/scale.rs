//! How long to measure.

use std::time::Duration;

/// Sizes of the runs.
pub(super) struct Scale {
    /// Runs of which the least disturbed one counts.
    pub(super) rounds: usize,
    /// Pairs of runs with and without the agent.
    pub(super) pairs: usize,
    /// How long one run of such a pair should take. Longer than the agent's interval, so that its work of an interval is in it.
    pub(super) bout: Duration,
    /// Connections of one run.
    pub(super) connections: u64,
    /// Messages on one open connection.
    pub(super) messages: u64,
    /// How long the agent is watched under load: several intervals.
    pub(super) steady: Duration,
    /// Open sockets of each load on the agent.
    pub(super) sockets: &'static [u64],
    /// Batches sent to the aggregator by each agent.
    pub(super) batches: u64,
    /// New edges.
    pub(super) edges: u16,
}

impl Scale {
    pub(super) fn new(quick: bool) -> Self {
        match quick {
            false => Self {
                rounds: 10,
                pairs: 9,
                bout: Duration::from_secs(6),
                connections: 20_000,
                messages: 100_000,
                steady: Duration::from_secs(30),
                sockets: &[5_000, 50_000],
                batches: 50,
                edges: 150,
            },
            true => Self {
                rounds: 3,
                pairs: 3,
                bout: Duration::from_secs(2),
                connections: 10_000,
                messages: 20_000,
                steady: Duration::from_secs(10),
                sockets: &[5_000],
                batches: 50,
                edges: 30,
            },
        }
    }
}
