//! The ledger's tables, and how a change is written to them.
//!
//! | table | window | partition | clustering | value |
//! |---|---|---|---|---|
//! | `edge_1m` | span | minute | node, epoch, sequence, part | what one report added to rows, by the numbers of their keys |
//! | | | `keys` | number of the first | row keys, in order of their numbers |
//! | `metric_1m` | span | minute | entity id | its newest sample of the minute |
//! | `coverage_1m` | span | minute | node, epoch | what the agent could see |
//! | `entity` | span | – | entity id | the newest description of the span |
//! | `agent_seq` | 0 | `seq` | node | its newest epochs and their durable sequences |

use std::ops::Bound;

use super::codec::{self, KeyEncoder, KeyWriter, Named, RowWriter};
use super::plan::{Changes, StagedKey, StagedRows};
use super::state::{Agent, span_of};
use crate::model::Minute;
use crate::store::{Put, Table, WindowId};

/// Rows of flows.
pub(super) const EDGES: &str = "edge_1m";
/// CPU and memory.
pub(super) const METRICS: &str = "metric_1m";
/// What agents could see.
pub(super) const COVERAGE: &str = "coverage_1m";
/// Who the ends are.
pub(super) const ENTITIES: &str = "entity";
/// What is durable of each agent.
pub(super) const SEQUENCES: &str = "agent_seq";

/// All of them.
pub const TABLES: [Table; 5] = {
    const fn table(name: &'static str) -> Table {
        Table {
            name,
            overwritten: false,
        }
    }
    let sequences = Table {
        name: SEQUENCES,
        overwritten: true,
    };
    [
        table(EDGES),
        table(METRICS),
        table(COVERAGE),
        table(ENTITIES),
        sequences,
    ]
};

/// The tables whose windows are spans.
pub(super) const BY_SPAN: [&str; 4] = [EDGES, METRICS, COVERAGE, ENTITIES];

/// The one window of [`SEQUENCES`].
pub(super) const FOREVER: WindowId = 0;

/// The partition of a minute.
pub(super) fn of_minute(minute: Minute) -> Vec<u8> {
    minute.0.to_be_bytes().to_vec()
}

/// The partition of a span's row keys, among those of its minutes in [`EDGES`].
pub(super) fn of_keys() -> Vec<u8> {
    b"keys".to_vec()
}

/// The one partition of a span's [`ENTITIES`].
pub(super) fn of_span() -> Vec<u8> {
    Vec::new()
}

/// The one partition of [`SEQUENCES`].
pub(super) fn of_sequences() -> Vec<u8> {
    b"seq".to_vec()
}

/// The clustering key of an agent: the node's name, the epoch in 8 bytes.
pub(super) fn of_agent((node, epoch): &Agent) -> Vec<u8> {
    [node.as_bytes(), &epoch.to_be_bytes()].concat()
}

/// The clustering keys of a node's agents, and of nodes with a longer name that starts so.
pub(super) fn of_node(node: &str) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    // No byte of a name is 0xff.
    let last = [node.as_bytes(), &[0xff; 9]].concat();
    (
        Bound::Included(node.as_bytes().to_vec()),
        Bound::Excluded(last),
    )
}

/// The agent of a clustering key.
pub(super) fn agent(clustering: &[u8]) -> Option<(&str, u64)> {
    let (node, epoch) = clustering.split_last_chunk()?;
    Some((std::str::from_utf8(node).ok()?, u64::from_be_bytes(*epoch)))
}

/// The clustering key of a part of a report's rows. A report that is written again takes the same place.
fn of_rows(rows: &StagedRows, part: u32) -> Vec<u8> {
    let mut key = of_agent(&rows.agent);
    key.extend_from_slice(&rows.sequence.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The node of such a key.
pub(super) fn node_of_rows(clustering: &[u8]) -> Option<&[u8]> {
    // Epoch, sequence and part follow it.
    clustering
        .len()
        .checked_sub(20)
        .map(|end| &clustering[..end])
}

/// A report's rows as they are stored.
fn values_of(minute: Minute, rows: &StagedRows, encoder: &mut KeyEncoder) -> Vec<Vec<u8>> {
    let mut writer = RowWriter::new(minute, rows.from, rows.to);
    for (place, row) in rows.rows.iter().enumerate() {
        let key = match &row.key {
            StagedKey::Numbered(number) => Named::Number(*number),
            StagedKey::Whole(key) => Named::Key(encoder.encode(key)),
        };
        writer.push(key, &row.counters, rows.dialed.get(&place));
    }
    writer.finish()
}

/// Everything that a commit writes.
pub(super) fn puts(changes: &Changes) -> Vec<Put> {
    let mut puts = Vec::new();
    let mut encoder = KeyEncoder::default();
    for (span, new) in &changes.numbers {
        let mut writer = KeyWriter::new(new.first);
        for (_, key) in &new.keys {
            writer.push(encoder.encode(key));
        }
        puts.extend(writer.finish().into_iter().map(|(first, value)| Put {
            table: EDGES,
            window: *span,
            partition: of_keys(),
            clustering: first.to_be_bytes().to_vec(),
            value,
        }));
    }
    for (minute, cells) in &changes.minutes {
        let put = |table, clustering, value| Put {
            table,
            window: span_of(*minute),
            partition: of_minute(*minute),
            clustering,
            value,
        };
        for rows in &cells.rows {
            let parts = (0..).zip(values_of(*minute, rows, &mut encoder));
            puts.extend(parts.map(|(part, value)| put(EDGES, of_rows(rows, part), value)));
        }
        puts.extend(cells.metrics.iter().map(|(id, sample)| {
            put(
                METRICS,
                id.as_bytes().to_vec(),
                codec::encode_metrics(sample),
            )
        }));
        puts.extend(cells.coverage.iter().map(|(agent, coverage)| {
            put(COVERAGE, of_agent(agent), codec::encode_coverage(coverage))
        }));
    }
    for (span, entities) in &changes.entities {
        puts.extend(entities.values().map(|entity| Put {
            table: ENTITIES,
            window: *span,
            partition: of_span(),
            clustering: entity.id.as_bytes().to_vec(),
            value: codec::encode_entity(entity),
        }));
    }
    puts.extend(changes.sequences.iter().map(|(node, sequences)| Put {
        table: SEQUENCES,
        window: FOREVER,
        partition: of_sequences(),
        clustering: node.as_bytes().to_vec(),
        value: codec::encode_sequences(sequences),
    }));
    puts
}
