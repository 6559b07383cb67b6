//! CPU and memory of every cgroup that is worth a name, formulas as in cAdvisor.
//!
//! v2 where it has the controller, else the v1 cgroup at the same path. A field that no file gives is absent, which is
//! not the same as 0.

use std::path::PathBuf;
use std::sync::Arc;

use insight_proto::v1::{MetricSample, Owner};

use super::flat::Files;
use super::mount::V1;
use super::tree::{Entry, Tree};
use super::walk::directory;
use super::{process, v1, v2};

/// Samples of one collection. A sample takes at most 176 bytes on the wire (16 fields of 11), so 8,192 take 1.4 MiB of
/// the 4 MiB that a gRPC message may have, and leave the rest to flows.
pub const MAX_SAMPLES: usize = 8192;

/// What one cgroup used.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Who it is.
    pub owner: Arc<Owner>,
    /// What it used; `cgroup_id` is the owner's.
    pub metrics: MetricSample,
}

/// Reads the samples.
#[derive(Debug)]
pub struct Stats {
    mount: PathBuf,
    v1: V1,
    files: Files,
    limit: usize,
    skipped: u64,
}

impl Stats {
    /// A reader for the tree that is mounted at `mount` (cgroup v2), with the v1 hierarchies beside it.
    pub fn new(mount: PathBuf, v1: V1) -> Self {
        Self {
            mount,
            v1,
            files: Files::default(),
            limit: MAX_SAMPLES,
            skipped: 0,
        }
    }

    /// Walks the tree and reads a sample of each container, pod and unit (its own directory, not the ones inside), and of
    /// each plain cgroup without children that has a process. At most [`MAX_SAMPLES`], containers first, always the same
    /// ones.
    pub fn sample(&mut self, tree: &mut Tree) -> std::io::Result<Vec<Sample>> {
        tree.refresh()?;
        let mut wanted: Vec<(u8, &Entry)> = tree
            .entries()
            .filter_map(|entry| rank(entry).map(|rank| (rank, entry)))
            .collect();
        wanted.sort_unstable_by(|(rank, entry), (other_rank, other)| {
            (rank, &entry.owner.path).cmp(&(other_rank, &other.owner.path))
        });
        self.skipped += wanted.len().saturating_sub(self.limit) as u64;
        wanted.truncate(self.limit);
        let samples = wanted
            .into_iter()
            .filter_map(|(rank, entry)| self.read(rank == PLAIN, &entry.owner));
        Ok(samples.collect())
    }

    fn read(&mut self, plain: bool, owner: &Arc<Owner>) -> Option<Sample> {
        let directory = directory(&self.mount, &owner.path);
        if plain && !process::any(&directory) {
            return None;
        }
        let cgroup_id = owner.cgroup_id;
        let mut metrics = MetricSample {
            cgroup_id,
            ..MetricSample::default()
        };
        v2::read(&mut self.files, &directory, &mut metrics);
        v1::fill(&mut self.files, &self.v1, &owner.path, &mut metrics);
        let nothing = MetricSample {
            cgroup_id,
            ..MetricSample::default()
        };
        // Gone since the walk.
        (metrics != nothing).then(|| Sample {
            owner: Arc::clone(owner),
            metrics,
        })
    }

    /// Samples left out because there were more than [`MAX_SAMPLES`], since the start.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

const PLAIN: u8 = 3;

/// Which cgroups go first; `None` for those without a sample.
fn rank(entry: &Entry) -> Option<u8> {
    match entry.owner.level.as_str() {
        "container" if entry.exact => Some(0),
        "pod" if entry.exact => Some(1),
        "unit" if entry.exact => Some(2),
        "cgroup" if entry.leaf => Some(PLAIN),
        _ => None,
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
