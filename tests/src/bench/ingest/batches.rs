//! What busy nodes would report.

use insight_proto::v1::{AgentStatus, Batch, Hello};

use crate::bench::random::Random;
use crate::fake_agent::{Talk, hello, talks};

/// One batch covers so much, milliseconds.
const INTERVAL_MS: i64 = 5_000;

/// Containers of a node; half of them are clients of the other half.
const CONTAINERS: u16 = 100;

/// An agent and all that it will report.
pub(in crate::bench) struct Agent {
    pub(super) hello: Hello,
    pub(super) batches: Vec<Batch>,
}

/// Batches of successive intervals, the last of which ends at `end` (Unix milliseconds): the same edges in each, with other
/// counts.
pub(in crate::bench) fn of_agent(number: u16, batches: u64, records: u64, end: i64) -> Agent {
    let hello = hello(&format!("bench-{number}"), 1);
    let mut random = Random::new(u64::from(number) + 1);
    let batches = (1..=batches)
        .map(|sequence| {
            let from = end - INTERVAL_MS * (batches - sequence + 1).cast_signed();
            batch(
                &hello,
                sequence,
                from,
                &edges(number, records / 2, &mut random),
            )
        })
        .collect();
    Agent { hello, batches }
}

fn batch(hello: &Hello, sequence: u64, from: i64, edges: &[Talk]) -> Batch {
    let (flows, owners) = talks(edges);
    Batch {
        node: hello.node.clone(),
        boot_id: hello.boot_id.clone(),
        epoch: hello.epoch,
        sequence,
        from_unix_ms: from,
        to_unix_ms: from + INTERVAL_MS,
        owners,
        status: Some(AgentStatus {
            live_readout: true,
            dropped_updates: 0,
            flow_map_used: flows.local.len() as u64,
            flow_map_size: 65_536,
        }),
        flows: Some(flows),
        metrics: Vec::new(),
        stopping: false,
    }
}

fn edges(agent: u16, count: u64, random: &mut Random) -> Vec<Talk> {
    let first = agent * CONTAINERS;
    let half = u64::from(CONTAINERS / 2);
    (0..count)
        .map(|edge| Talk {
            client: first + (edge % half) as u16,
            server: first + CONTAINERS / 2 + (edge / half % half) as u16,
            port: 8_000 + (edge / half / half) as u16,
            connections: 1 + random.below(50),
            sent: random.below(100_000),
            received: random.below(1_000_000),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn batches_follow_each_other() {
        let agent = of_agent(3, 4, 5_000, 1_000_000);
        let times: Vec<_> = agent
            .batches
            .iter()
            .map(|batch| (batch.sequence, batch.from_unix_ms, batch.to_unix_ms))
            .collect();
        assert_eq!(times[0], (1, 980_000, 985_000));
        assert_eq!(times[3], (4, 995_000, 1_000_000));
        let flows = agent.batches[0].flows.as_ref().unwrap();
        assert_eq!(flows.local.len(), 5_000);
        assert_ne!(agent.batches[0].flows, agent.batches[1].flows);
    }

    #[test]
    fn edges_differ_and_nodes_share_none() {
        let key = |talk: &Talk| (talk.client, talk.server, talk.port);
        let mut random = Random::new(1);
        let one: BTreeSet<_> = edges(0, 6_000, &mut random).iter().map(key).collect();
        let two: BTreeSet<_> = edges(1, 6_000, &mut random).iter().map(key).collect();
        assert_eq!((one.len(), two.len()), (6_000, 6_000));
        assert!(one.is_disjoint(&two));
    }
}
