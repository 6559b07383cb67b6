//! The ledger over stores: what it promises to whoever commits and reads.

mod answers;
mod commits;
mod eras;
mod oracle;
mod restarts;
mod traces;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{Counters, Coverage, Entity, Kind, Metrics, Minute, Protocol, RowKey, Side};
use crate::store::Memory;

/// A full span.
const START: UnixMs = 78_703 * SPAN;
const SPAN: i64 = state::SPAN_MINUTES * MINUTE;
const MINUTE: i64 = 60_000;
const SECOND: i64 = 1_000;

const RETENTION: Duration = Duration::from_millis(6 * SPAN.unsigned_abs());

fn ledger(now: UnixMs) -> (Arc<Memory>, Ledger) {
    let store = Arc::new(Memory::new());
    let ledger = Ledger::open(store.clone(), RETENTION, now).unwrap();
    (store, ledger)
}

pub(super) fn key(local: &str, port: u16) -> RowKey {
    RowKey {
        side: Side::Client,
        local: local.into(),
        local_addr: [10, 0, 0, 1].into(),
        remote_addr: [10, 0, 0, 2].into(),
        port,
        protocol: Protocol::Tcp,
        remote_prefix: 0,
        scope: 0,
        own: false,
        era: 0,
    }
}

fn opened(opened: u64, active: u64) -> Counters {
    Counters {
        opened,
        active,
        bytes_sent: opened * 100,
        ..Counters::default()
    }
}

fn entity(id: &str, name: &str) -> Entity {
    Entity {
        id: id.into(),
        kind: Kind::Container,
        name: name.into(),
        pod: "pod:1".into(),
        pod_kind: Kind::Pod,
        pod_name: "pod-1".into(),
        namespace: "shop".into(),
        node: "n1".into(),
        labels: BTreeMap::from([("qos".into(), "guaranteed".into())]),
    }
}

/// A report of 5 s that ends at `to`, with the entities of its rows.
fn report(node: &str, sequence: u64, to: UnixMs, rows: &[(RowKey, Counters)]) -> Report {
    let mut entities: Vec<Entity> = rows
        .iter()
        .map(|(key, _)| entity(&key.local, "name"))
        .collect();
    entities.dedup();
    Report {
        node: node.into(),
        epoch: 7,
        sequence,
        resumes: false,
        coverage: Coverage {
            from: to - 5 * SECOND,
            to,
            interval_ms: 5_000,
            live_readout: true,
            dropped_updates: 0,
            stopping: false,
        },
        rows: rows.to_vec(),
        dialed: Vec::new(),
        entities,
        metrics: Vec::new(),
    }
}

/// Both answer the same. [`Window`] has no equality since nobody else asks.
#[track_caller]
fn assert_same(left: &Window, right: &Window) {
    assert_eq!((left.from, left.to), (right.from, right.to));
    assert_eq!(left.rows, right.rows);
    assert_eq!(left.dialed, right.dialed);
    assert_eq!(left.entities, right.entities);
    assert_eq!(left.metrics, right.metrics);
    assert_eq!(left.coverage, right.coverage);
    assert_eq!(left.before, right.before);
}

fn sample(at: UnixMs, usage: u64) -> Metrics {
    Metrics {
        at,
        cpu_usage_ns: Some(usage),
        ..Metrics::default()
    }
}
