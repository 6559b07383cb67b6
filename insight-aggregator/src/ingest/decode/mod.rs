//! A batch as it came from the network becomes a checked [`Report`], or says where it is wrong. No input makes it panic.

mod dialed;
mod flows;
mod owners;
mod samples;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use insight_proto::v1;

use self::owners::Owners;
use super::limits::{MAX_COVER, MAX_NODE_NAME};
use crate::identity;
use crate::model::{Coverage, Report};

/// Why a batch cannot be right: the field, the row where there is one, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBatch {
    /// Field, as in `agent.proto` and `flow.proto`.
    pub field: &'static str,
    /// Index in that field.
    pub row: Option<usize>,
    /// What is wrong with it.
    pub problem: String,
}

impl BadBatch {
    fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            row: None,
            problem: problem.into(),
        }
    }

    fn at(field: &'static str, row: usize, problem: impl Into<String>) -> Self {
        Self {
            field,
            row: Some(row),
            problem: problem.into(),
        }
    }

    fn too_many(field: &'static str, count: usize, limit: usize) -> Self {
        Self::new(
            field,
            format!("has {count} entries, the limit is {limit} a batch"),
        )
    }
}

impl fmt::Display for BadBatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(out, "{}[{row}] {}", self.field, self.problem),
            None => write!(out, "{} {}", self.field, self.problem),
        }
    }
}

impl std::error::Error for BadBatch {}

/// Checks a batch and names its ends. `interval_ms` is that of the agent's hello, milliseconds.
///
/// Several rows may have one key, for instance two cgroups of one container. A time ahead of this machine's clock is for the
/// ledger to judge, which has the clock.
pub fn decode(batch: &v1::Batch, interval_ms: u32) -> Result<Report, BadBatch> {
    check_node_name(&batch.node).map_err(|problem| BadBatch::new("node", problem))?;
    if batch.sequence == 0 {
        return Err(BadBatch::new("sequence", "is 0, but it counts from 1"));
    }
    check_times(batch)?;
    let owners = Owners::name(&batch.owners, &batch.node)?;
    let overflow = identity::overflow(&batch.node);
    let (rows, dialed) = match &batch.flows {
        Some(flows) => {
            let rows = flows::rows(flows, &owners, &overflow, &batch.boot_id)?;
            let dialed = dialed::dialed(flows, &rows, &batch.boot_id)?;
            (rows, dialed)
        }
        None => Default::default(),
    };
    let metrics = samples::metrics(&batch.metrics, &owners, batch.to_unix_ms)?;
    let status = batch.status.unwrap_or_default();
    Ok(Report {
        node: batch.node.clone(),
        epoch: batch.epoch,
        sequence: batch.sequence,
        resumes: false,
        coverage: Coverage {
            from: batch.from_unix_ms,
            to: batch.to_unix_ms,
            interval_ms,
            live_readout: status.live_readout,
            dropped_updates: status.dropped_updates,
            stopping: batch.stopping,
        },
        entities: if rows.iter().any(|(key, _)| key.local == overflow.id) {
            owners.entities.into_iter().chain([overflow]).collect()
        } else {
            owners.entities
        },
        rows,
        dialed,
        metrics,
    })
}

/// Says what is wrong with a node's name.
pub(in crate::ingest) fn check_node_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty; start the agent with --node-name".into());
    }
    if name.len() > MAX_NODE_NAME {
        return Err(format!(
            "is {} bytes long, the limit is {MAX_NODE_NAME}",
            name.len()
        ));
    }
    if name.chars().any(|c| c.is_control() || c == '/') {
        return Err("has a control character or a slash".into());
    }
    Ok(())
}

fn check_times(batch: &v1::Batch) -> Result<(), BadBatch> {
    let (from, to) = (batch.from_unix_ms, batch.to_unix_ms);
    if from < 0 {
        return Err(BadBatch::new(
            "from_unix_ms",
            format!("is {from}, before 1970"),
        ));
    }
    if from > to {
        return Err(BadBatch::new(
            "from_unix_ms",
            format!("is {from}, after to_unix_ms {to}"),
        ));
    }
    let longest = i64::try_from(MAX_COVER.as_millis()).unwrap_or(i64::MAX);
    if to - from > longest {
        return Err(BadBatch::new(
            "from_unix_ms",
            format!(
                "is {} days before to_unix_ms; set the node's clock",
                (to - from) / 86_400_000
            ),
        ));
    }
    Ok(())
}
