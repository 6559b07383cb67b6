//! What agents counted of a large cluster: each pod calls ten others, and both ends have told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use insight_aggregator::model::{
    Counters, Entity, EntityId, Kind, Protocol, RowKey, Side, Sum, UnixMs, Window,
};

use super::cluster::{REPLICAS, address, container_id, node_of, uid};

/// 2026-01-31T12:15:00Z, where the window ends.
pub(super) const NOW: UnixMs = 1_769_861_700_000;

/// The rows of fifteen minutes.
pub(super) fn window(pods: u64, calls: u64) -> Window {
    let entities: Vec<Entity> = (0..pods).map(entity).collect();
    let id = |pod: u64| EntityId::clone(&entities[pod as usize].id);
    let mut rows = Vec::with_capacity((pods * calls * 2) as usize);
    for client in 0..pods {
        for call in 0..calls {
            // Another Deployment each, and of it the pod of the same number.
            let server = (client + (call + 1) * REPLICAS) % pods;
            let row = |side, local, [from, to]: [u64; 2]| RowKey {
                side,
                local,
                local_addr: address(from),
                remote_addr: address(to),
                remote_prefix: 0,
                port: 8080,
                protocol: Protocol::Tcp,
                scope: 0,
                own: false,
                era: 0,
            };
            rows.push((row(Side::Client, id(client), [client, server]), sum()));
            rows.push((row(Side::Server, id(server), [server, client]), sum()));
        }
    }
    Window {
        from: NOW - 900_000,
        to: NOW,
        rows: rows.into_iter().collect(),
        entities: entities
            .into_iter()
            .map(|entity| (EntityId::clone(&entity.id), entity))
            .collect(),
        ..Window::default()
    }
}

fn sum() -> Sum {
    Sum {
        counters: Counters {
            opened: 3,
            closed: 3,
            bytes_sent: 1000,
            bytes_received: 5000,
            ..Counters::default()
        },
        first_seen: NOW - 900_000,
        last_seen: NOW,
    }
}

fn entity(pod: u64) -> Entity {
    let (uid, container) = (uid(pod), container_id(pod, 0));
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Entity {
        id: Arc::from(format!("container:{container}")),
        kind: Kind::Container,
        name: container[..12].to_owned(),
        pod: Arc::from(format!("pod:{uid}")),
        pod_kind: Kind::Pod,
        pod_name: format!("pod {}…", &uid[..8]),
        namespace: String::new(),
        node: node_of(pod),
        labels: BTreeMap::from([
            label("pod_uid", &uid),
            label("container_id", &container),
            label("runtime", "containerd"),
            label("qos", "burstable"),
            label(
                "cgroup",
                &format!("/kubepods/burstable/pod{uid}/{container}"),
            ),
        ]),
    }
}
