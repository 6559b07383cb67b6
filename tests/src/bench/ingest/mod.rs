//! Flow records that the aggregator receives, decodes, names, merges and makes durable.

pub(super) mod batches;
pub(super) mod senders;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::row::{Budget, Row};
use super::scale::Scale;
use super::{cpu, progress};
use crate::fake_agent::now_ms;
use crate::product::Aggregator;
use crate::reader::metrics::sample;

/// Agents that report at the same time.
const AGENTS: u16 = 4;

/// Records of a batch: both ends of each of 2,500 edges, all of which have changed.
const RECORDS: u64 = 5_000;

const MIB: f64 = 1_048_576.0;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let mut aggregator = Aggregator::start()?;
    let agents: Vec<_> = (0..AGENTS)
        .map(|agent| batches::of_agent(agent, scale.batches, RECORDS, now_ms()))
        .collect();
    let minutes: BTreeSet<i64> = agents[0]
        .batches
        .iter()
        // A batch's end is the first moment that it does not cover.
        .map(|batch| (batch.to_unix_ms - 1).div_euclid(60_000))
        .collect();
    let records = u64::from(AGENTS) * scale.batches * RECORDS;
    let stored = u64::from(AGENTS) * RECORDS * minutes.len() as u64;
    progress(format!(
        "{records} records in {} batches of {AGENTS} agents",
        u64::from(AGENTS) * scale.batches
    ));

    let pid = aggregator.daemon.pid()?;
    let (start, before) = (Instant::now(), cpu::used(pid)?);
    senders::send(&aggregator.grpc_url(), agents)?;
    let (wall, used) = (start.elapsed(), cpu::used(pid)?.saturating_sub(before));

    let metrics = aggregator.reader()?.metrics()?;
    let durable = sample(&metrics, "insight_aggregator_rows_total", &[])?;
    ensure!(
        durable == records as f64,
        "{durable} of {records} records became durable"
    );
    for name in [
        "insight_aggregator_decode_seconds",
        "insight_aggregator_commit_seconds",
    ] {
        let seconds = sample(&metrics, &format!("{name}_sum"), &[])?;
        progress(format!(
            "{name}: {seconds:.2} s of {:.2} s CPU",
            used.as_secs_f64()
        ));
    }
    let resident = aggregator.daemon.resident()?;
    aggregator.daemon.stop()?;
    let disk = disk_use(&aggregator.store())?;
    Ok(vec![
        Row::new(
            format!("ingest: flow records per core-second ({records} records)"),
            records as f64 / used.as_secs_f64(),
            "records/core-s",
        )
        .digits(0)
        .budget(Budget::AtLeast(1e6)),
        Row::new(
            "  durable records per second",
            records as f64 / wall.as_secs_f64(),
            "records/s",
        )
        .digits(0),
        Row::new(
            format!("  disk per stored row, after a stop ({stored} rows)"),
            disk as f64 / stored as f64,
            "bytes",
        )
        .digits(1),
        Row::new("  aggregator resident memory", resident as f64 / MIB, "MiB").digits(1),
    ])
}

/// Bytes that a folder takes, as `du` counts them.
fn disk_use(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let data = entry.metadata()?;
        // Blocks of stat(2) are of 512 bytes, whatever the file system's are.
        sum += 512 * data.blocks();
        if data.is_dir() {
            sum += disk_use(&entry.path())?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_use_goes_into_folders() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), vec![7; 100_000]).unwrap();
        let used = disk_use(folder.path()).unwrap();
        assert!((100_000..400_000).contains(&used), "{used}");
        assert!(disk_use(&folder.path().join("none")).is_err());
    }
}
