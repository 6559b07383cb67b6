//! What the kernel's programs count in each cgroup, added up the tree and put into the samples.
//!
//! A program charges the cgroup that a thread is in itself; a sample is of a cgroup with all below it, as those of cgroup v2's files are.

use std::collections::{HashMap, HashSet};

use insight_ebpf::abi::CgroupTotals;
use insight_proto::v1::MetricSample;

use super::parse::parse;
use super::stats::Sample;
use super::tree::Tree;

/// What was charged to a cgroup and those below it since the agent started.
#[derive(Debug, Default)]
struct Charge {
    totals: CgroupTotals,
    kills: Option<Kills>,
}

/// What a cgroup's own file says of kills, which is right for as long as it is there.
#[derive(Debug)]
struct Kills {
    /// What it said last.
    said: u64,
    /// Kills in `totals` at that time.
    charged: u64,
    /// What it had said more than was charged when both stood still: kills before the agent started.
    before: u64,
}

/// All charges.
#[derive(Debug, Default)]
pub struct Charges {
    /// Whether waiting is counted.
    pub waits: bool,
    /// Whether kills are counted.
    pub kills: bool,
    /// The last reading.
    read: HashMap<u64, CgroupTotals>,
    charges: HashMap<u64, Charge>,
    /// Cgroups to which the last reading added.
    changed: HashSet<u64>,
}

impl Charges {
    /// Takes a reading of the kernel's map. Answers which cgroups the kernel may forget: they are gone, or not below the root, and nothing
    /// was added since the reading before.
    pub fn take(&mut self, reading: &[(u64, CgroupTotals)], tree: &Tree) -> Vec<u64> {
        self.changed.clear();
        let mut forget = Vec::new();
        let mut added = Vec::new();
        for (id, totals) in reading {
            let more = since(totals, self.read.get(id));
            if more != CgroupTotals::default() {
                self.read.insert(*id, *totals);
                added.push((*id, more));
            } else if !tree.is_there(*id) {
                self.read.remove(id);
                forget.push(*id);
            }
        }
        if !added.is_empty() {
            self.add(&added, tree);
        }
        self.charges.retain(|id, _| tree.find(*id).is_some());
        forget
    }

    fn add(&mut self, added: &[(u64, CgroupTotals)], tree: &Tree) {
        let by_path = tree.by_path();
        for (id, more) in added {
            // One that nobody has seen has no path, and nobody to show it to.
            let Some(owner) = tree.find(*id) else {
                continue;
            };
            let own = std::iter::once(*id);
            let above = ancestors(&owner.path).filter_map(|path| by_path.get(path).copied());
            for id in own.chain(above) {
                let totals = &mut self.charges.entry(id).or_default().totals;
                totals.waited += more.waited;
                totals.runs += more.runs;
                totals.oom_kills += more.oom_kills;
                self.changed.insert(id);
            }
        }
    }

    /// Completes the samples of this reading. A cgroup that is gone gets a last one if it was charged meanwhile; `before` are the samples
    /// of the reading before.
    pub fn complete(&mut self, samples: &mut Vec<Sample>, before: &[Sample], tree: &Tree) {
        if !self.waits && !self.kills {
            return;
        }
        for sample in &mut *samples {
            self.fill(&mut sample.metrics);
        }
        let gone: Vec<u64> = self.changed.iter().copied().collect();
        for id in gone.into_iter().filter(|id| !tree.is_there(*id)) {
            let last = before.iter().find(|sample| sample.owner.cgroup_id == id);
            let Some(owner) = tree.find(id) else {
                continue;
            };
            let named = matches!(owner.level.as_str(), "container" | "pod" | "unit");
            if last.is_none() && !(named && parse(&owner.path).exact) {
                continue;
            }
            let mut metrics = last.map_or_else(MetricSample::default, |sample| sample.metrics);
            metrics.cgroup_id = id;
            metrics.oom_kills = None;
            self.fill(&mut metrics);
            samples.push(Sample {
                owner: owner.clone(),
                metrics,
            });
        }
    }

    fn fill(&mut self, metrics: &mut MetricSample) {
        let charge = self.charges.entry(metrics.cgroup_id).or_default();
        if self.waits {
            metrics.run_delay_ns = Some(charge.totals.waited);
            metrics.runs = Some(charge.totals.runs);
        }
        if self.kills {
            metrics.oom_kills = Some(charge.kills(metrics.oom_kills));
        }
    }
}

impl Charge {
    /// Kills in a cgroup of which a file says so many, or which has none, or none any more.
    fn kills(&mut self, file: Option<u64>) -> u64 {
        let charged = self.totals.oom_kills;
        match (file, &mut self.kills) {
            (Some(said), None) => {
                let before = said.saturating_sub(charged);
                self.kills = Some(Kills {
                    said,
                    charged,
                    before,
                });
                said
            }
            (Some(said), Some(kills)) => {
                // The file and the map are not read at the same moment.
                if (said, charged) == (kills.said, kills.charged) {
                    kills.before = said.saturating_sub(charged);
                }
                (kills.said, kills.charged) = (said, charged);
                said
            }
            (None, None) => charged,
            (None, Some(kills)) => kills.said.max(kills.before + charged),
        }
    }
}

/// What was added since the reading before; the kernel may have forgotten the cgroup in between.
fn since(now: &CgroupTotals, before: Option<&CgroupTotals>) -> CgroupTotals {
    let before = before.copied().unwrap_or_default();
    let less = |now: u64, before: u64| now.checked_sub(before);
    let more = || {
        Some(CgroupTotals {
            waited: less(now.waited, before.waited)?,
            runs: less(now.runs, before.runs)?,
            oom_kills: less(now.oom_kills, before.oom_kills)?,
        })
    };
    more().unwrap_or(*now)
}

/// The paths above a path, without the root: of `/a/b/c` these are `/a/b` and `/a`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| Some(path.rsplit_once('/')?.0))
        .skip(1)
        .filter(|path| !path.is_empty())
}

#[cfg(test)]
#[path = "charges_tests.rs"]
mod tests;
