//! Since when relations are there, and when something was last seen to be gone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use super::graph::{Graph, Subject};
use super::kinds::RelationKind;
use crate::model::UnixMs;

/// What one answer says that the next one must repeat. As large as the graph, 16 bytes for each resource and relation.
#[derive(Default)]
pub(super) struct History {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the hash of what it is.
    since: HashMap<u64, UnixMs>,
    /// The newest version of the index that was seen.
    version: u64,
    /// When something was last seen to be gone.
    shrunk: Option<UnixMs>,
}

impl History {
    /// Gives relations that were there before the time that they had then, and the graph the time at which something left it. `graph` is the whole
    /// one, of that version of the index.
    ///
    /// Who talks to whom has times of its own, and is left alone.
    pub(super) fn date(&self, graph: &mut Graph<'_>, version: u64, now: UnixMs) {
        // A panic cannot leave it half done: what is new is made first, then put there.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_newest = version >= state.version;
        let mut next = HashMap::with_capacity(state.since.len());
        for resource in &graph.resources {
            if !matches!(resource.subject, Subject::End(_)) {
                next.insert(xxh3_64(resource.id.as_bytes()), resource.timestamp);
            }
        }
        for at in 0..graph.relations.len() {
            let relation = &graph.relations[at];
            if relation.kind == RelationKind::CommunicatesWith {
                continue;
            }
            let key = format!(
                "{}\n{}\n{}",
                graph.resources[relation.source].id,
                graph.resources[relation.target].id,
                relation.kind.as_str()
            );
            let key = xxh3_64(key.as_bytes());
            let since = state.since.get(&key).copied();
            let since = since.unwrap_or(relation.timestamp);
            graph.relations[at].timestamp = since;
            next.insert(key, since);
        }
        if is_newest {
            if state.since.keys().any(|key| !next.contains_key(key)) {
                state.shrunk = Some(now);
            }
            state.version = version;
            state.since = next;
        }
        graph.shrunk = state.shrunk;
    }
}
