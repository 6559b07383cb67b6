//! Entities, metrics, coverage and sequences, as protobuf messages.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use prost::Message;

use super::{VERSION, content};
use crate::ledger::sequences::NodeSequences;
use crate::model::{Coverage, Entity, EntityId, Kind, Metrics, UnixMs};

fn encode(message: &impl Message) -> Vec<u8> {
    let mut value = Vec::with_capacity(1 + message.encoded_len());
    value.push(VERSION);
    value.extend_from_slice(&message.encode_to_vec());
    value
}

fn decode<M: Message + Default>(value: &[u8]) -> Result<M> {
    M::decode(content(value)?).context("the value is not what its version says")
}

#[derive(Message)]
struct StoredEntity {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    kind: String,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    workload: String,
    #[prost(string, tag = "5")]
    workload_kind: String,
    #[prost(string, tag = "6")]
    workload_name: String,
    #[prost(string, tag = "7")]
    namespace: String,
    #[prost(string, tag = "8")]
    node: String,
    #[prost(btree_map = "string, string", tag = "9")]
    labels: BTreeMap<String, String>,
}

/// The value of an entity.
pub(in crate::ledger) fn encode_entity(entity: &Entity) -> Vec<u8> {
    encode(&StoredEntity {
        id: entity.id.to_string(),
        kind: entity.kind.as_str().to_owned(),
        name: entity.name.clone(),
        workload: entity.pod.to_string(),
        workload_kind: entity.pod_kind.as_str().to_owned(),
        workload_name: entity.pod_name.clone(),
        namespace: entity.namespace.clone(),
        node: entity.node.clone(),
        labels: entity.labels.clone(),
    })
}

/// The entity of a value.
pub(in crate::ledger) fn decode_entity(
    value: &[u8],
    mut intern: impl FnMut(&str) -> EntityId,
) -> Result<Entity> {
    let stored: StoredEntity = decode(value)?;
    let kind =
        |name: &str| Kind::parse(name).with_context(|| format!("{name:?} is no kind of entity"));
    Ok(Entity {
        id: intern(&stored.id),
        kind: kind(&stored.kind)?,
        name: stored.name,
        pod: intern(&stored.workload),
        pod_kind: kind(&stored.workload_kind)?,
        pod_name: stored.workload_name,
        namespace: stored.namespace,
        node: stored.node,
        labels: stored.labels,
    })
}

/// Declares a message with the fields of [`Metrics`], so that they are named once.
macro_rules! stored_metrics {
    ($($field:ident = $tag:literal),*) => {
        #[derive(Message)]
        struct StoredMetrics {
            #[prost(int64, tag = "1")]
            at: i64,
            $(#[prost(uint64, optional, tag = $tag)] $field: Option<u64>,)*
        }

        /// The value of a sample.
        pub(in crate::ledger) fn encode_metrics(metrics: &Metrics) -> Vec<u8> {
            encode(&StoredMetrics { at: metrics.at, $($field: metrics.$field),* })
        }

        /// The sample of a value.
        pub(in crate::ledger) fn decode_metrics(value: &[u8]) -> Result<Metrics> {
            let stored: StoredMetrics = decode(value)?;
            Ok(Metrics { at: stored.at, $($field: stored.$field),* })
        }
    };
}

stored_metrics!(
    cpu_usage_ns = "2",
    cpu_user_ns = "3",
    cpu_system_ns = "4",
    cfs_periods = "5",
    cfs_throttled_periods = "6",
    cfs_throttled_ns = "7",
    cpu_limit_millicores = "8",
    memory_usage_bytes = "9",
    memory_working_set_bytes = "10",
    memory_rss_bytes = "11",
    memory_cache_bytes = "12",
    memory_limit_bytes = "13",
    oom_kills = "14",
    run_delay_ns = "15",
    runs = "16"
);

#[derive(Message)]
struct StoredCoverages {
    #[prost(message, repeated, tag = "1")]
    coverages: Vec<StoredCoverage>,
}

#[derive(Message)]
struct StoredCoverage {
    #[prost(int64, tag = "1")]
    from: UnixMs,
    /// End less start.
    #[prost(uint64, tag = "2")]
    length_ms: u64,
    #[prost(uint32, tag = "3")]
    interval_ms: u32,
    #[prost(bool, tag = "4")]
    live_readout: bool,
    #[prost(uint64, tag = "5")]
    dropped_updates: u64,
    #[prost(bool, tag = "6")]
    stopping: bool,
}

/// The value of an agent's coverage of a minute.
pub(in crate::ledger) fn encode_coverage(coverages: &[Coverage]) -> Vec<u8> {
    let stored = coverages.iter().map(|coverage| StoredCoverage {
        from: coverage.from,
        length_ms: coverage.to.abs_diff(coverage.from),
        interval_ms: coverage.interval_ms,
        live_readout: coverage.live_readout,
        dropped_updates: coverage.dropped_updates,
        stopping: coverage.stopping,
    });
    encode(&StoredCoverages {
        coverages: stored.collect(),
    })
}

/// The coverage of a value.
pub(in crate::ledger) fn decode_coverage(value: &[u8]) -> Result<Vec<Coverage>> {
    let stored: StoredCoverages = decode(value)?;
    let coverages = stored.coverages.into_iter().map(|stored| Coverage {
        from: stored.from,
        to: stored.from.saturating_add_unsigned(stored.length_ms),
        interval_ms: stored.interval_ms,
        live_readout: stored.live_readout,
        dropped_updates: stored.dropped_updates,
        stopping: stored.stopping,
    });
    Ok(coverages.collect())
}

#[derive(Message)]
struct StoredSequences {
    #[prost(uint64, repeated, tag = "1")]
    epochs: Vec<u64>,
    #[prost(uint64, repeated, tag = "2")]
    sequences: Vec<u64>,
    #[prost(int64, tag = "3")]
    at: UnixMs,
}

/// The value of a node's sequences.
pub(in crate::ledger) fn encode_sequences(node: &NodeSequences) -> Vec<u8> {
    let (epochs, sequences) = node.epochs.iter().copied().unzip();
    encode(&StoredSequences {
        epochs,
        sequences,
        at: node.at,
    })
}

/// The sequences of a value.
pub(in crate::ledger) fn decode_sequences(value: &[u8]) -> Result<NodeSequences> {
    let stored: StoredSequences = decode(value)?;
    Ok(NodeSequences {
        epochs: stored.epochs.into_iter().zip(stored.sequences).collect(),
        at: stored.at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back() {
        let entity = Entity {
            id: "container:3f".into(),
            kind: Kind::Container,
            name: "web".into(),
            pod: "pod:1".into(),
            pod_kind: Kind::Pod,
            pod_name: "web-1".into(),
            namespace: "shop".into(),
            node: "n1".into(),
            labels: BTreeMap::from([("runtime".into(), "containerd".into())]),
        };
        assert_eq!(
            decode_entity(&encode_entity(&entity), |id| id.into()).unwrap(),
            entity
        );

        let metrics = Metrics {
            at: 5,
            cpu_usage_ns: Some(u64::MAX),
            cpu_limit_millicores: Some(0),
            oom_kills: Some(2),
            run_delay_ns: Some(3),
            runs: Some(4),
            ..Metrics::default()
        };
        assert_eq!(decode_metrics(&encode_metrics(&metrics)).unwrap(), metrics);

        let coverage = Coverage {
            from: 10,
            to: 25,
            interval_ms: 5000,
            live_readout: true,
            dropped_updates: 3,
            stopping: false,
        };
        let coverages = [
            coverage,
            Coverage {
                from: 25,
                to: 25,
                stopping: true,
                ..coverage
            },
        ];
        assert_eq!(
            decode_coverage(&encode_coverage(&coverages)).unwrap(),
            coverages
        );

        let sequences = NodeSequences {
            epochs: vec![(9, 4), (1, 1)],
            at: 77,
        };
        assert_eq!(
            decode_sequences(&encode_sequences(&sequences)).unwrap(),
            sequences
        );
    }

    #[test]
    fn a_newer_version_and_garbage_are_errors() {
        let mut value = encode_metrics(&Metrics::default());
        value[0] = 9;
        assert!(
            decode_metrics(&value)
                .unwrap_err()
                .to_string()
                .contains("version 9")
        );
        assert!(decode_coverage(&[]).is_err());
        assert!(decode_sequences(&[VERSION, 0xff]).is_err());
        let stored = StoredEntity {
            kind: "ghost".into(),
            ..StoredEntity::default()
        };
        assert!(decode_entity(&encode(&stored), |id| id.into()).is_err());
    }
}
