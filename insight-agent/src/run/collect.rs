//! One reading of everything, and the batch it makes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use insight_ebpf::abi::FlowKey;
use insight_proto::v1::{AgentStatus, Batch};

use crate::boot;
use crate::cgroups::{Sample, Stats, Tree};
use crate::config::Config;
use crate::flows::{Accounts, Baseline, FlowRow, Live, batch_columns};
use crate::kernel::Kernel;
use crate::status::{FlowMap, Status};

/// The longest time that a batch says it covers, milliseconds: 30 days, well below what an aggregator takes.
const LONGEST_COVER: i64 = 30 * 24 * 3_600_000;

/// What the last reading came to, for the status.
#[derive(Default)]
struct Reading {
    took: Duration,
    readout: Duration,
    flow_map: FlowMap,
}

/// Reads the kernel and the cgroups.
pub(super) struct Collector {
    accounts: Accounts,
    tree: Tree,
    stats: Stats,
    samples: Vec<Sample>,
    from_unix_ms: i64,
    last: Reading,
}

impl Collector {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            accounts: Accounts::default(),
            tree: Tree::new(config.cgroup_root.clone(), config.cgroup_mount.clone()),
            stats: Stats::new(config.cgroup_mount.clone(), config.cgroup_v1.clone()),
            samples: Vec::new(),
            from_unix_ms: boot::now_unix_ms(),
            last: Reading::default(),
        }
    }

    /// Counting begins.
    pub(super) fn begin(&mut self, kernel: &mut Kernel) -> Result<()> {
        let mut baseline = Baseline::default();
        kernel.take_baseline(|record| baseline.meet(record))?;
        self.accounts = Accounts::begin(baseline, kernel.max_flows());
        self.from_unix_ms = boot::now_unix_ms();
        Ok(())
    }

    /// A full reading. Closed connections first: one that closes in between is then missing until the next reading, and never
    /// counted twice.
    pub(super) fn read(&mut self, kernel: &Kernel) -> Result<()> {
        let start = Instant::now();
        let closed = kernel.closed()?;
        let before_sockets = Instant::now();
        let mut live = Live::default();
        let has_readout = kernel.live(|record| live.meet(record))?;
        self.last.readout = before_sockets.elapsed();
        self.last.flow_map.used = closed.len() as u64;
        self.accounts.update(&closed, has_readout.then_some(&live));
        self.samples = self
            .stats
            .sample(&mut self.tree)
            .context("read the cgroups' CPU and memory")?;
        self.last.took = start.elapsed();
        Ok(())
    }

    /// Takes everything that was read as reported: by another agent.
    pub(super) fn skip(&mut self) {
        self.accounts.take(Instant::now());
        self.from_unix_ms = boot::now_unix_ms();
    }

    /// What changed since the last batch.
    pub(super) fn batch(&mut self, kernel: &Kernel) -> Result<Batch> {
        let rows = self.accounts.take(Instant::now());
        let mut batch = self.build(kernel, &rows)?;
        batch.metrics = self.samples.iter().map(|sample| sample.metrics).collect();
        let named: HashSet<u64> = batch.owners.iter().map(|owner| owner.cgroup_id).collect();
        let more = self
            .samples
            .iter()
            .filter(|sample| !named.contains(&sample.owner.cgroup_id));
        batch
            .owners
            .extend(more.map(|sample| (*sample.owner).clone()));
        Ok(batch)
    }

    /// New flows, before the interval is over.
    pub(super) fn early_batch(
        &mut self,
        kernel: &Kernel,
        keys: &[FlowKey],
    ) -> Result<Option<Batch>> {
        for key in keys {
            if let Some(totals) = kernel.closed_of(key)? {
                self.accounts.appeared(key, &totals);
            }
        }
        let rows = self.accounts.take(Instant::now());
        if rows.is_empty() {
            return Ok(None);
        }
        self.build(kernel, &rows).map(Some)
    }

    fn build(&mut self, kernel: &Kernel, rows: &[FlowRow]) -> Result<Batch> {
        let overflow = kernel.overflow()?;
        self.last.flow_map.dropped_updates = overflow.updates;
        self.last.flow_map.size = u64::from(kernel.max_flows());
        let cgroups: HashSet<u64> = rows.iter().map(|row| row.key.cgroup).collect();
        // A clock may step: back, or by decades when a machine without a battery meets its time server.
        let to_unix_ms = boot::now_unix_ms().max(self.from_unix_ms);
        self.from_unix_ms = self.from_unix_ms.max(to_unix_ms - LONGEST_COVER);
        let batch = Batch {
            from_unix_ms: self.from_unix_ms,
            to_unix_ms,
            flows: Some(batch_columns(rows)),
            owners: cgroups.into_iter().map(|id| self.tree.owner(id)).collect(),
            status: Some(AgentStatus {
                live_readout: kernel.reads_live(),
                dropped_updates: self.last.flow_map.dropped_updates,
                flow_map_used: self.last.flow_map.used,
                flow_map_size: self.last.flow_map.size,
            }),
            ..Batch::default()
        };
        self.from_unix_ms = to_unix_ms;
        Ok(batch)
    }

    /// Shows the last reading.
    pub(super) fn tell(&self, status: &Status) {
        status.set_flow_map(self.last.flow_map);
        status.set_readout(self.last.readout);
        status.set_tree(self.tree.stats());
        status.set_samples(self.samples.clone(), self.stats.skipped());
        status.collected(self.last.took);
    }
}
