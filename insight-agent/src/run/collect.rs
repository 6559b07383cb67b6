//! One reading of everything, and the batch it makes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use insight_ebpf::abi::{FlowKey, FlowTotals, Missed, State, Watermark};
use insight_proto::v1::{AgentStatus, Batch};
use tracing::{info, warn};

use crate::boot;
use crate::cgroups::{Charges, Sample, Stats, Tree};
use crate::config::Config;
use crate::conntrack::Conntrack;
use crate::flows::{Accounts, Columns, Dialed, IdlePolicy, Own, Ranges, translated};
use crate::kernel::{Births, Kernel, Probe};
use crate::status::{Addresses, FlowMap, Status};

/// The longest time that a batch says it covers, milliseconds: 30 days, well below what an aggregator takes.
const LONGEST_COVER: i64 = 30 * 24 * 3_600_000;

/// What the last reading came to, for the status.
#[derive(Default)]
pub(super) struct Reading {
    took: Duration,
    readout: Duration,
    threads: Duration,
    missed: Missed,
    pub(super) flow_map: FlowMap,
    dialed: Addresses,
}

/// What could not be noted is counted and reported all the same.
fn noted(result: Result<()>) {
    if let Err(error) = result {
        warn!("should this agent be killed now, the next one counts some twice: {error:#}");
    }
}

/// Keeps some watermarks, and the first error.
fn keep(kernel: &mut Kernel, marks: &[(FlowKey, Watermark)], kept: &mut Result<()>) {
    if kept.is_ok() {
        *kept = kernel.keep_watermarks(marks.iter().map(|(key, mark)| (key, mark)));
    }
}

/// What is reported for sure.
pub(super) fn settled(born: u64, totals: FlowTotals) -> Watermark {
    Watermark {
        sequence: 0,
        born,
        after: totals,
        before: totals,
    }
}

/// Reads the kernel and the cgroups.
pub(super) struct Collector {
    pub(super) accounts: Accounts,
    pub(super) ranges: Ranges,
    pub(super) idle: IdlePolicy,
    own: Own,
    pub(super) dialed: Dialed,
    pub(super) conntrack: Conntrack,
    pub(super) state: State,
    tree: Tree,
    /// None where the paths that the kernel gives are not those below the mount.
    births: Option<Births>,
    stats: Stats,
    charges: Charges,
    samples: Vec<Sample>,
    pub(super) from_unix_ms: i64,
    pub(super) last: Reading,
}

impl Collector {
    pub(super) fn new(config: &Config, own: Own) -> Self {
        Self {
            accounts: Accounts::default(),
            ranges: Ranges::default(),
            idle: IdlePolicy {
                idle: config.flow_idle,
                room: config.max_flows as usize,
            },
            own,
            dialed: Dialed::default(),
            conntrack: Conntrack::new(config.dialed, config.cgroup_mount.clone()),
            state: State::default(),
            tree: Tree::new(config.cgroup_root.clone(), config.cgroup_mount.clone()),
            births: None,
            stats: Stats::new(config.cgroup_mount.clone(), config.cgroup_v1.clone()),
            charges: Charges::default(),
            samples: Vec::new(),
            from_unix_ms: boot::now_unix_ms(),
            last: Reading::default(),
        }
    }

    /// Shows what the maps take, which follows from `--max-flows`.
    pub(super) fn tell_memory(&mut self, kernel: &Kernel) -> Result<()> {
        let maps = kernel.memory()?;
        let kib = |bytes: u64| format!("{} KiB", bytes / 1024);
        self.last.flow_map.memory = maps.iter().map(|(_, bytes)| bytes).sum();
        let largest = maps.iter().filter(|(_, bytes)| *bytes >= 64 * 1024);
        let largest: Vec<String> = largest
            .map(|(name, bytes)| format!("{name} {}", kib(*bytes)))
            .collect();
        info!(
            max_flows = kernel.max_flows(),
            total = kib(self.last.flow_map.memory),
            "kernel maps: {}",
            largest.join(", ")
        );
        Ok(())
    }

    /// What the kernel tells of cgroups.
    pub(super) fn charge(&mut self, with: crate::kernel::Charges) {
        (self.charges.waits, self.charges.kills) = (with.waits, with.kills);
    }

    /// From now on names come with the births of cgroups.
    pub(super) fn watch(&mut self, births: Births) {
        self.births = Some(births);
    }

    /// Takes the names of cgroups that were made since the last call.
    fn learn(&mut self) {
        if let Some(births) = &mut self.births {
            births.take(|id, path| self.tree.born(id, path));
        }
    }

    /// Asks where flows lead that were met and are due.
    fn ask(&mut self) {
        self.conntrack.ask(|id| self.tree.owner(id).path);
    }

    /// What works beside the kernel's programs.
    pub(super) fn probes(&self) -> &[Probe] {
        self.conntrack.probes()
    }

    /// Whose counts these are.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// A full reading. Closed connections first: one that closes in between is then missing until the next reading, and never
    /// counted twice.
    pub(super) fn read(&mut self, kernel: &mut Kernel) -> Result<()> {
        let start = Instant::now();
        let spares = kernel.spares_made()?;
        self.accounts.begin_reading();
        let (mut used, mut has_spares) = (0, false);
        let asks = self.conntrack.is_in_use();
        kernel.closed(|key, entry| {
            used += u64::from(!key.is_catch_all());
            has_spares |= key.generation != 0;
            self.accounts.closed(key, entry);
            if asks {
                self.conntrack.meet(key, entry);
            }
        })?;
        let before_sockets = Instant::now();
        let has_readout = kernel.live(|record| {
            if self.ranges.admits(record) {
                self.accounts.open(record);
            }
        })?;
        self.last.readout = before_sockets.elapsed();
        self.last.flow_map.used = used;
        self.accounts.end_reading(has_readout);
        self.accounts.talking(&kernel.conversations()?);
        if !has_spares {
            kernel.spares_gone(spares)?;
        }
        self.settle_exceptions(kernel);
        if kernel.notes_dialed() {
            self.dialed.note(&kernel.dialed()?);
        }
        let before_threads = Instant::now();
        let charged = kernel.charged()?;
        self.last.threads = before_threads.elapsed();
        self.last.missed = kernel.missed()?;
        self.learn();
        if asks {
            self.ask();
        }
        let mut samples = self
            .stats
            .sample(&mut self.tree)
            .context("read the cgroups' CPU and memory")?;
        let forgotten = self.charges.take(&charged, &self.tree);
        kernel.forget_cgroups(&forgotten)?;
        self.charges
            .complete(&mut samples, &self.samples, &self.tree);
        self.samples = samples;
        self.last.dialed = Addresses {
            dialed_flows: self.dialed.len(),
            dialed_lost: kernel.dialed_lost()?,
            translated_flows: self.conntrack.translated(),
            questions: self.conntrack.asked(),
        };
        self.last.took = start.elapsed();
        Ok(())
    }

    /// Takes everything that was read as reported: by another agent.
    pub(super) fn skip(&mut self, kernel: &mut Kernel) -> Result<()> {
        let mut kept = Ok(());
        let settle = |marks: &mut [(FlowKey, Watermark)]| {
            for (_, mark) in &mut *marks {
                *mark = settled(mark.born, mark.after);
            }
            keep(kernel, marks, &mut kept);
        };
        self.accounts.take(0, Instant::now(), settle, |_| {});
        self.from_unix_ms = boot::now_unix_ms();
        kept
    }

    /// What a batch reports. How much of each flow that makes is noted before the batch leaves.
    ///
    /// What may fail comes first: rows that were taken must not be lost.
    fn take(&mut self, kernel: &mut Kernel, sequence: u64) -> Result<Columns> {
        self.last.flow_map.dropped_updates = kernel.overflowed()?;
        let mut kept = Ok(());
        let (mut rows, own) = (Columns::default(), &self.own);
        self.accounts.take(
            sequence,
            Instant::now(),
            |marks| keep(kernel, marks, &mut kept),
            |row| {
                let asked = self.dialed.records(&row.key);
                let ways = self.conntrack.ways(&row.key).map(translated);
                rows.push(row, own.has(&row.key), asked.chain(ways));
            },
        );
        noted(kept);
        Ok(rows)
    }

    /// What changed since the batch before, which is durable.
    pub(super) fn batch(&mut self, kernel: &mut Kernel, sequence: u64) -> Result<Batch> {
        self.make_room(kernel);
        let rows = self.take(kernel, sequence)?;
        let mut batch = self.build(kernel, sequence, rows);
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

    /// Takes out those of the flows whose cgroups will have a name only after the next walk, and says when that is. What leaves without a
    /// name stays without one.
    pub(super) fn hold_unnamed(
        &mut self,
        keys: &mut Vec<FlowKey>,
    ) -> Option<(Instant, Vec<FlowKey>)> {
        self.learn();
        let mut due = None;
        let held = keys
            .extract_if(.., |key| {
                let at = self.tree.name_due(key.cgroup);
                due = due.max(at);
                at.is_some()
            })
            .collect();
        due.map(|due| (due, held))
    }

    /// New flows, before the interval is over, after [`Self::hold_unnamed`].
    pub(super) fn early_batch(
        &mut self,
        kernel: &mut Kernel,
        sequence: u64,
        keys: &[FlowKey],
    ) -> Result<Option<Batch>> {
        let asks = self.conntrack.is_in_use();
        for key in keys {
            if let Some(entry) = kernel.closed_of(key)? {
                self.accounts.appeared(key, &entry);
                if asks {
                    self.conntrack.meet(key, &entry);
                }
            }
            if kernel.notes_dialed() {
                self.dialed.note(&kernel.dialed_of(key)?);
            }
        }
        if asks {
            self.ask();
        }
        let rows = self.take(kernel, sequence)?;
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.build(kernel, sequence, rows)))
    }

    fn build(&mut self, kernel: &mut Kernel, sequence: u64, rows: Columns) -> Batch {
        self.last.flow_map.size = u64::from(kernel.max_flows());
        self.learn();
        // A clock may step: back, or by decades when a machine without a battery meets its time server.
        let to_unix_ms = boot::now_unix_ms().max(self.from_unix_ms);
        self.from_unix_ms = self.from_unix_ms.max(to_unix_ms - LONGEST_COVER);
        let batch = Batch {
            from_unix_ms: self.from_unix_ms,
            to_unix_ms,
            owners: rows.cgroups().map(|id| self.tree.owner(id)).collect(),
            flows: Some(rows.finish()),
            status: Some(AgentStatus {
                live_readout: kernel.reads_live(),
                dropped_updates: self.last.flow_map.dropped_updates,
                flow_map_used: self.last.flow_map.used,
                flow_map_size: self.last.flow_map.size,
            }),
            ..Batch::default()
        };
        self.state.sequence = sequence;
        self.state.reported_until_ms = self.from_unix_ms.unsigned_abs();
        self.state.sequence_until_ms = to_unix_ms.unsigned_abs();
        self.from_unix_ms = to_unix_ms;
        noted(kernel.set_state(&self.state));
        batch
    }

    /// Shows the last reading.
    pub(super) fn tell(&self, status: &Status) {
        status.set_flow_map(self.last.flow_map);
        status.set_readout(self.last.readout);
        status.set_dialed(self.last.dialed);
        status.set_tree(self.tree.stats());
        status.set_threads(self.last.threads, self.last.missed);
        status.set_samples(self.samples.clone(), self.stats.skipped());
        status.collected(self.last.took);
    }
}
