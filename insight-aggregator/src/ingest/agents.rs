//! Which agents are connected. One node has one agent: a second one would count everything twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use insight_proto::v1;
use tokio_util::sync::CancellationToken;

use super::limits::MAX_AGENTS;
use crate::model::{UnixMs, now_ms};

/// One connected agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Node name.
    pub node: String,
    /// Distinguishes starts of the agent.
    pub epoch: u64,
    /// Version of the agent program.
    pub version: String,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Export interval, milliseconds.
    pub interval_ms: u32,
    /// When this stream began.
    pub connected_since: UnixMs,
    /// When its last batch became durable.
    pub last_batch: Option<UnixMs>,
    /// Sequence of that batch.
    pub last_sequence: u64,
    /// What it said of itself with that batch.
    pub status: Option<v1::AgentStatus>,
}

/// Why an agent is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another agent is connected for the same node.
    NodeTaken {
        /// Its epoch.
        epoch: u64,
        /// When it connected.
        since: UnixMs,
    },
    /// The node's agent of another boot is still connected: after a power loss, until its silence is noticed. What the two count
    /// is not the same, so the new one may keep it and come again.
    OtherBoot,
    /// [`MAX_AGENTS`] are connected.
    TooMany,
}

struct Entry {
    agent: Agent,
    /// Distinguishes streams of the same agent.
    stream: u64,
    replaced: CancellationToken,
    gone: CancellationToken,
}

#[derive(Default)]
struct State {
    by_node: BTreeMap<String, Entry>,
    streams: u64,
}

/// The connected agents.
#[derive(Clone, Default)]
pub struct Agents {
    state: Arc<Mutex<State>>,
}

/// An agent's place among the connected; dropped, it is free.
pub struct Place {
    agents: Agents,
    node: String,
    stream: u64,
    /// Cancelled when a newer stream of the same agent takes over.
    pub replaced: CancellationToken,
    /// Ends when the older stream whose place this is takes no more batches.
    pub older_gone: CancellationToken,
    gone: CancellationToken,
}

impl Agents {
    /// Lets an agent in. A newer stream of the same epoch takes the older one's place.
    pub fn enter(&self, hello: &v1::Hello) -> Result<Place, Refused> {
        let mut state = self.lock();
        let mut older_gone = CancellationToken::new();
        match state.by_node.get(&hello.node) {
            Some(other) if other.agent.boot_id != hello.boot_id => return Err(Refused::OtherBoot),
            Some(other) if other.agent.epoch != hello.epoch => {
                return Err(Refused::NodeTaken {
                    epoch: other.agent.epoch,
                    since: other.agent.connected_since,
                });
            }
            Some(older) => {
                older.replaced.cancel();
                older_gone = older.gone.clone();
            }
            None if state.by_node.len() >= MAX_AGENTS => return Err(Refused::TooMany),
            None => older_gone.cancel(),
        }
        state.streams += 1;
        let stream = state.streams;
        let (replaced, gone) = (CancellationToken::new(), CancellationToken::new());
        let entry = Entry {
            agent: Agent {
                node: hello.node.clone(),
                epoch: hello.epoch,
                version: hello.agent_version.clone(),
                boot_id: hello.boot_id.clone(),
                interval_ms: hello.interval_ms,
                connected_since: now_ms(),
                last_batch: None,
                last_sequence: 0,
                status: None,
            },
            stream,
            replaced: replaced.clone(),
            gone: gone.clone(),
        };
        state.by_node.insert(hello.node.clone(), entry);
        Ok(Place {
            agents: self.clone(),
            node: hello.node.clone(),
            stream,
            replaced,
            older_gone,
            gone,
        })
    }

    /// Everybody who is connected, by node name.
    pub fn list(&self) -> Vec<Agent> {
        let state = self.lock();
        state
            .by_node
            .values()
            .map(|entry| entry.agent.clone())
            .collect()
    }

    /// How many are connected.
    pub fn connected(&self) -> usize {
        self.lock().by_node.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a single insert, remove or assignment, so a panic elsewhere cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Notes that a batch is durable.
    pub fn batch_done(&self, sequence: u64, status: Option<v1::AgentStatus>) {
        let mut state = self.agents.lock();
        if let Some(entry) = state.by_node.get_mut(&self.node)
            && entry.stream == self.stream
        {
            entry.agent.last_batch = Some(now_ms());
            entry.agent.last_sequence = sequence;
            entry.agent.status = status;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gone.cancel();
        let mut state = self.agents.lock();
        if state
            .by_node
            .get(&self.node)
            .is_some_and(|entry| entry.stream == self.stream)
        {
            state.by_node.remove(&self.node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(node: &str, epoch: u64) -> v1::Hello {
        v1::Hello {
            node: node.into(),
            epoch,
            ..v1::Hello::default()
        }
    }

    #[test]
    fn a_second_agent_of_a_node_is_refused_until_the_first_leaves() {
        let agents = Agents::default();
        let first = agents.enter(&hello("a", 1)).unwrap();
        let refused = agents.enter(&hello("a", 2)).err().unwrap();
        assert!(matches!(refused, Refused::NodeTaken { epoch: 1, .. }));
        assert!(agents.enter(&hello("b", 2)).is_ok());
        drop(first);
        assert!(agents.enter(&hello("a", 2)).is_ok());
    }

    #[test]
    fn a_reconnect_takes_the_older_streams_place_and_keeps_it() {
        let agents = Agents::default();
        let older = agents.enter(&hello("a", 1)).unwrap();
        let newer = agents.enter(&hello("a", 1)).unwrap();
        assert!(older.replaced.is_cancelled() && older.older_gone.is_cancelled());
        assert!(!newer.older_gone.is_cancelled());
        assert!(!newer.replaced.is_cancelled());
        older.batch_done(7, None);
        drop(older);
        assert!(newer.older_gone.is_cancelled());
        assert_eq!(agents.connected(), 1);
        newer.batch_done(8, None);
        assert_eq!(agents.list()[0].last_sequence, 8);
    }
}
