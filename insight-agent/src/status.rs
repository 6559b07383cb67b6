//! What the agent knows of itself: for `/status`, `/metrics` and `/readyz`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use insight_ebpf::abi::Missed;
use serde::Serialize;

use crate::boot::now_unix_ms;
use crate::cgroups::Sample;
use crate::cgroups::tree::TreeStats;
use crate::kernel::Probe;

/// The kernel's flow map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FlowMap {
    /// Flows in it.
    pub used: u64,
    /// Room for flows.
    pub size: u64,
    /// Events of flows that found no room in it, and are counted together, since counting began.
    pub dropped_updates: u64,
    /// Entries of idle flows that this agent removed.
    pub removed: u64,
    /// Kernel memory of all maps, bytes; this one is the largest.
    pub memory: u64,
}

/// Addresses that stood between the ends of flows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Flows that were dialed by another address than their socket shows.
    pub dialed_flows: usize,
    /// Connects whose dialed address found no place, since the agent started.
    pub dialed_lost: u64,
    /// Flows that NAT is known to lead somewhere else.
    pub translated_flows: usize,
    /// Questions to connection tracking, since the agent started.
    pub questions: u64,
}

/// What outlives the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pinned {
    /// Where maps and programs are pinned.
    pub folder: Option<PathBuf>,
    /// Why they are not.
    pub reason: Option<String>,
    /// When counting began, Unix nanoseconds: earlier than the agent if it took over from another one.
    pub counting_since: u64,
}

/// The stream to the aggregator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Aggregator {
    /// Where it is.
    pub url: String,
    /// Whether the stream is open.
    pub connected: bool,
    /// Why it was closed the last time.
    pub last_error: Option<String>,
    /// When a batch was last acknowledged, Unix milliseconds.
    pub last_ack_unix_ms: Option<i64>,
    /// Batches that are not acknowledged.
    pub unacked_batches: u64,
    /// Times that the stream was opened again.
    pub reconnects: u64,
    /// Batches put into the stream's queue.
    pub batches_sent: u64,
    #[serde(skip)]
    connections: u64,
}

/// The work of each interval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Collection {
    /// Collections so far.
    pub count: u64,
    /// When the last one ended, Unix milliseconds.
    pub last_unix_ms: Option<i64>,
    /// How long the last one took.
    #[serde(rename = "last_seconds", serialize_with = "seconds")]
    pub last: Duration,
    /// How long the last pass over the open sockets took.
    #[serde(rename = "readout_seconds", serialize_with = "seconds")]
    pub readout: Duration,
    /// How long the last pass over all threads took.
    #[serde(rename = "threads_seconds", serialize_with = "seconds")]
    pub threads: Duration,
    /// What was counted of cgroups and found no room in the kernel's map, since the start.
    pub cgroup_updates_dropped: u64,
    /// Readings of threads that found no room: these are counted when they end.
    pub threads_postponed: u64,
}

/// Cgroups and their metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cgroups {
    /// Cgroups that are there.
    pub known: usize,
    /// Names kept of cgroups that are gone.
    pub remembered: usize,
    /// Walks over the tree.
    pub walks: u64,
    /// How long the last walk took.
    #[serde(rename = "last_walk_seconds", serialize_with = "seconds")]
    pub last_walk: Duration,
    /// Owners that got no name.
    pub unnamed: u64,
    /// Cgroups that were seen as they were made.
    pub born: u64,
    /// Names of gone cgroups that were dropped early because there were too many.
    pub evicted: u64,
    /// Cgroups left out of the last walk because there are too many.
    pub over_limit: u64,
    /// Directories that the last walk could not read.
    pub unreadable: u64,
    /// CPU and memory samples in the last collection.
    pub samples: usize,
    /// Samples left out because there were too many, since the start.
    pub samples_skipped: u64,
}

/// All of it at one moment; serialised it is the answer of `/status`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// Node name.
    pub node: String,
    /// Version of this program.
    pub version: &'static str,
    /// Boot id.
    pub boot_id: String,
    /// When the agent started, Unix milliseconds.
    pub started_unix_ms: i64,
    /// Why it is not ready; absent when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<String>,
    /// Every probe.
    pub probes: Vec<Probe>,
    /// What outlives the agent.
    pub pinned: Pinned,
    /// The flow map.
    pub flow_map: FlowMap,
    /// Addresses between the ends of flows.
    pub addresses: Addresses,
    /// The stream.
    pub aggregator: Aggregator,
    /// The work.
    pub collection: Collection,
    /// The cgroups.
    pub cgroups: Cgroups,
    /// The last collection's samples.
    #[serde(skip)]
    pub samples: Arc<Vec<Sample>>,
}

impl State {
    /// Why flows are not on their way yet: ready means that they can be counted and were collected once. Whether the
    /// aggregator is there does not matter, since counting goes on without it.
    pub fn readiness(&self) -> Result<(), String> {
        if self.probes.is_empty() {
            return Err("the kernel programs are not loaded yet".to_owned());
        }
        let missing = |probe: &&Probe| probe.required && !probe.attached;
        if let Some(probe) = self.probes.iter().find(missing) {
            let reason = probe.reason.as_deref().unwrap_or("not attached yet");
            return Err(format!(
                "flows cannot be counted: {} ({}): {reason}",
                probe.name, probe.hook
            ));
        }
        match self.collection.count {
            0 => Err("the first collection is not done yet".to_owned()),
            _ => Ok(()),
        }
    }
}

/// A handle to the state; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<State>>);

impl Status {
    /// A status that starts now.
    pub fn new(node: &str, boot_id: &str, aggregator: &str) -> Self {
        let status = Self::default();
        status.set(|state| {
            state.node = node.to_owned();
            state.version = env!("CARGO_PKG_VERSION");
            state.boot_id = boot_id.to_owned();
            state.started_unix_ms = now_unix_ms();
            state.aggregator.url = aggregator.to_owned();
        });
        status
    }

    /// A copy of everything.
    pub fn snapshot(&self) -> State {
        let mut state = self.lock().clone();
        state.not_ready = state.readiness().err();
        state
    }

    /// What the kernel programs came to.
    pub fn set_probes(&self, probes: Vec<Probe>) {
        self.set(|state| state.probes = probes);
    }

    /// Whether anything outlives the agent.
    pub fn set_pinned(&self, pinned: Pinned) {
        self.set(|state| state.pinned = pinned);
    }

    /// Occupancy of the flow map.
    pub fn set_flow_map(&self, map: FlowMap) {
        self.set(|state| state.flow_map = map);
    }

    /// Addresses between the ends of flows.
    pub fn set_dialed(&self, addresses: Addresses) {
        self.set(|state| state.addresses = addresses);
    }

    /// The stream to the aggregator is open.
    pub fn connected(&self) {
        self.set(|state| {
            let aggregator = &mut state.aggregator;
            aggregator.connected = true;
            aggregator.reconnects = aggregator.connections;
            aggregator.connections += 1;
        });
    }

    /// The stream ended, or could not be opened.
    pub fn disconnected(&self, error: &str) {
        self.set(|state| {
            state.aggregator.connected = false;
            state.aggregator.last_error = Some(error.to_owned());
        });
    }

    /// A batch was acknowledged; so many are left.
    pub fn acknowledged(&self, unacked: usize) {
        self.set(|state| {
            state.aggregator.last_ack_unix_ms = Some(now_unix_ms());
            state.aggregator.unacked_batches = unacked as u64;
        });
    }

    /// A batch was put into the queue, which now holds so many that are not acknowledged.
    pub fn batch_queued(&self, unacked: usize) {
        self.set(|state| {
            state.aggregator.batches_sent += 1;
            state.aggregator.unacked_batches = unacked as u64;
        });
    }

    /// A collection ended that took so long.
    pub fn collected(&self, took: Duration) {
        self.set(|state| {
            state.collection.count += 1;
            state.collection.last_unix_ms = Some(now_unix_ms());
            state.collection.last = took;
        });
    }

    /// A pass over the open sockets took so long.
    pub fn set_readout(&self, took: Duration) {
        self.set(|state| state.collection.readout = took);
    }

    /// A pass over the threads took so long; and what found no room.
    pub fn set_threads(&self, took: Duration, missed: Missed) {
        self.set(|state| {
            let collection = &mut state.collection;
            collection.threads = took;
            collection.cgroup_updates_dropped = missed.cgroups;
            collection.threads_postponed = missed.threads;
        });
    }

    /// What the tree of cgroups knows of itself.
    pub fn set_tree(&self, tree: TreeStats) {
        self.set(|state| {
            let (samples, samples_skipped) = (state.cgroups.samples, state.cgroups.samples_skipped);
            state.cgroups = Cgroups {
                known: tree.known,
                remembered: tree.remembered,
                walks: tree.walks,
                last_walk: tree.last_walk,
                unnamed: tree.unnamed,
                born: tree.born,
                evicted: tree.evicted,
                over_limit: tree.over_limit,
                unreadable: tree.unreadable,
                samples,
                samples_skipped,
            };
        });
    }

    /// The samples of a collection, and how many were left out since the start.
    pub fn set_samples(&self, samples: Vec<Sample>, skipped: u64) {
        self.set(|state| {
            state.cgroups.samples = samples.len();
            state.cgroups.samples_skipped = skipped;
            state.samples = Arc::new(samples);
        });
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Release;

    fn probe(name: &'static str, required: bool, attached: bool) -> Probe {
        Probe {
            name,
            hook: "hook",
            since: Release(5, 10),
            required,
            attached,
            reason: (!attached).then(|| "refused".to_owned()),
            lost: "much",
            instead: "nothing",
        }
    }

    fn reason(status: &Status) -> Option<String> {
        status.snapshot().not_ready
    }

    #[test]
    fn ready_once_flows_can_be_counted_and_were_collected() {
        let status = Status::default();
        assert!(reason(&status).unwrap().contains("not loaded"));
        status.set_probes(vec![probe("life", true, false)]);
        assert_eq!(
            reason(&status).unwrap(),
            "flows cannot be counted: life (hook): refused"
        );
        status.set_probes(vec![
            probe("life", true, true),
            probe("readout", false, false),
        ]);
        assert!(reason(&status).unwrap().contains("first collection"));
        status.collected(Duration::from_millis(3));
        assert_eq!(reason(&status), None);
        // Counting goes on without an aggregator.
        status.disconnected("refused");
        assert_eq!(reason(&status), None);
    }

    #[test]
    fn the_first_connection_is_no_reconnect() {
        let status = Status::default();
        status.disconnected("refused");
        status.connected();
        assert_eq!(status.snapshot().aggregator.reconnects, 0);
        status.disconnected("gone");
        status.connected();
        let aggregator = status.snapshot().aggregator;
        assert_eq!((aggregator.reconnects, aggregator.connected), (1, true));
        assert_eq!(aggregator.last_error.as_deref(), Some("gone"));
    }

    #[test]
    fn clones_share_what_they_know() {
        let status = Status::new("n1", "boot", "http://a:1");
        let other = status.clone();
        other.batch_queued(2);
        status.acknowledged(1);
        let state = other.snapshot();
        assert_eq!(
            (
                state.aggregator.batches_sent,
                state.aggregator.unacked_batches
            ),
            (1, 1)
        );
        assert!(state.aggregator.last_ack_unix_ms >= Some(state.started_unix_ms));
    }
}
