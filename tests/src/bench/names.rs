//! Names: the index of a large cluster, and the graph of all its pods' connections.
//!
//! Measured by an example program of the aggregator's crate, which these tests do not need to know; and in a process of its own,
//! because memory that a measurement before it gave back would hide what this one takes.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::progress;
use super::row::{Budget, Row};
use super::scale::Scale;
use crate::product::program;

/// The program, as cargo places it beside the others.
const PROGRAM: &str = "examples/names";

/// Pods that each pod calls.
const CALLS: u64 = 10;

const MIB: f64 = 1_048_576.0;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    progress(format!(
        "{} pods, {} edges between pods",
        scale.pods,
        scale.pods * CALLS
    ));
    let out = Command::new(program(PROGRAM)?)
        .args([scale.pods, CALLS].map(|number| number.to_string()))
        .output()?;
    ensure!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let told: Value = serde_json::from_slice(&out.stdout)?;
    let number = |name: &str| told[name].as_f64().with_context(|| format!("no {name}"));
    let pods = scale.pods as f64;
    Ok(vec![
        Row::new(
            format!(
                "index of {} pods: memory of a pod, all else included",
                scale.pods
            ),
            number("index_bytes")? / pods,
            "bytes",
        )
        .digits(0)
        .budget(Budget::AtMost(2048.0)),
        Row::new(
            "  objects taken in per core-second",
            number("objects")? / number("put_seconds")?,
            "objects/core-s",
        )
        .digits(0),
        Row::new(
            "  pods changed per core-second",
            pods / number("change_seconds")?,
            "pods/core-s",
        )
        .digits(0),
        Row::new(
            format!(
                "join: records per core-second ({} of them)",
                number("records")?
            ),
            number("records")? / number("join_seconds")?,
            "records/core-s",
        )
        .digits(0)
        .budget(Budget::AtLeast(1e6)),
        Row::new(
            "  at pod level, with every edge as readers get it",
            number("records")? / number("pods_seconds")?,
            "records/core-s",
        )
        .digits(0),
        Row::new(
            "  index, window and workload graph in memory",
            number("resident")? / MIB,
            "MiB",
        )
        .digits(0)
        .budget(Budget::Below(1536.0)),
        Row::new(
            "names of a past time: the index made again from a snapshot in memory",
            number("rebuild_seconds")? * 1e3,
            "ms",
        )
        .digits(0),
        Row::new(
            "  bytes of the snapshot, of a pod, all else included",
            number("snapshot_bytes")? / pods,
            "bytes",
        )
        .digits(0),
    ])
}
