//! How long to measure.

use std::time::Duration;

/// Sizes of the runs.
pub(super) struct Scale {
    /// Runs of which the least disturbed one counts.
    pub(super) rounds: usize,
    /// Rounds in which each contender has a bout.
    pub(super) bouts: usize,
    /// Rounds of the measurement that has to see one percent.
    pub(super) pairs: usize,
    /// How long such a bout should take. Longer than the contenders' interval, so that their work of an interval is in it.
    pub(super) bout: Duration,
    /// Connections of one run.
    pub(super) connections: u64,
    /// Messages on one open connection.
    pub(super) messages: u64,
    /// How long the agent is watched under load: several intervals.
    pub(super) steady: Duration,
    /// Open sockets of each load on the agent.
    pub(super) sockets: &'static [u64],
    /// Passes of the readout over each number of open sockets.
    pub(super) passes: usize,
    /// Batches sent to the aggregator by each agent.
    pub(super) batches: u64,
    /// New edges.
    pub(super) edges: u16,
    /// Agents whose edges are a large graph, 2,500 each.
    pub(super) agents: u64,
    /// Times that it is asked for.
    pub(super) asked: usize,
    /// Changes that subscribers are told of.
    pub(super) changes: u16,
    /// Pods of a large cluster.
    pub(super) pods: u64,
}

impl Scale {
    pub(super) fn new(quick: bool) -> Self {
        match quick {
            false => Self {
                rounds: 10,
                bouts: 9,
                pairs: 30,
                bout: Duration::from_secs(6),
                connections: 20_000,
                messages: 100_000,
                steady: Duration::from_secs(30),
                sockets: &[5_000, 50_000],
                passes: 20,
                batches: 50,
                edges: 150,
                pods: 100_000,
                agents: 20,
                asked: 100,
                changes: 50,
            },
            true => Self {
                rounds: 3,
                bouts: 3,
                pairs: 9,
                bout: Duration::from_secs(2),
                connections: 10_000,
                messages: 20_000,
                steady: Duration::from_secs(10),
                sockets: &[5_000],
                passes: 8,
                batches: 50,
                edges: 30,
                pods: 20_000,
                agents: 20,
                asked: 10,
                changes: 10,
            },
        }
    }
}
