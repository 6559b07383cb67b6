//! Flows in which nothing happens any more make room for others.

use std::time::{Duration, Instant};

use insight_ebpf::abi::{FlowKey, RETIRING};

use super::Accounts;

/// How long a flow must be idle at the least, however full the map is: it may go on at once.
const LEAST_IDLE: Duration = Duration::from_secs(2);

/// When entries of idle flows are removed.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long a flow may be idle.
    pub idle: Duration,
    /// Room in the flow map. When three quarters of it are taken, idle flows go earlier, those first that are idle longest, until half
    /// of it is free.
    pub room: usize,
}

impl Accounts {
    /// Flows to retire now. All that is batched must be durable.
    pub fn idle(&self, now: Instant, policy: Policy) -> Vec<FlowKey> {
        let used = self.len();
        let pressed = if used > policy.room / 4 * 3 {
            used - policy.room / 2
        } else {
            0
        };
        let mut idle: Vec<(Duration, FlowKey)> = self
            .flows
            .iter()
            .filter(|(key, _)| !key.is_catch_all() && !self.flows.contains_key(&twin(key)))
            .filter_map(|(key, account)| Some((now.duration_since(account.idle_since()?), *key)))
            .filter(|(idle, _)| *idle >= LEAST_IDLE.min(policy.idle))
            .collect();
        idle.sort_unstable_by(|one, other| other.cmp(one));
        idle.into_iter()
            .enumerate()
            .take_while(|(place, (idle, _))| *place < pressed || *idle >= policy.idle)
            .take(RETIRING as usize)
            .map(|(_, (_, key))| key)
            .collect()
    }

    /// Retired flows to remove now. All that is batched must be durable.
    pub fn removable(&self, now: Instant) -> Vec<FlowKey> {
        let removable = |account: &super::account::Account| account.is_removable(now);
        self.flows
            .iter()
            .filter_map(|(key, account)| removable(account).then_some(*key))
            .collect()
    }
}

/// The flow's other entry. One of the two at least must count.
fn twin(key: &FlowKey) -> FlowKey {
    FlowKey {
        generation: 1 - key.generation.min(1),
        ..*key
    }
}
