//! `insight-agent run`: the loop that reads the kernel and fills the outbox.

mod begin;
mod collect;
mod resume;
mod room;
mod scope;
mod session;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use insight_ebpf::abi::FlowKey;
use insight_proto::v1::Batch;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::boot;
use crate::config::Config;
use crate::http;
use crate::kernel::{Doorbell, Kernel};
use crate::report::{Asked, Identity, Outbox};
use crate::shutdown;
use crate::status::Status;
use collect::Collector;

/// New flows that ring within this time are exported together.
const GATHER: Duration = Duration::from_millis(20);
/// Between two exports outside the interval, so that a storm of new flows costs at most ten small batches a second.
const EARLY_EXPORT: Duration = Duration::from_millis(100);
/// New flows that wait for room in the outbox; more come with the interval.
const MAX_RANG: usize = 4_096;
/// Between two times that memory which nobody uses is given back: it takes a millisecond.
const TRIM: Duration = Duration::from_secs(30);
/// How long the last batch may take when the agent stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where the kernel's types are.
pub fn btf_path() -> PathBuf {
    std::env::var_os("INSIGHT_BTF").map_or_else(|| "/sys/kernel/btf/vmlinux".into(), PathBuf::from)
}

/// Counts and reports until SIGINT or SIGTERM.
pub async fn run(config: Config) -> Result<()> {
    let stop = shutdown::on_signals()?;
    let listener = http::bind(config.listen).await?;
    let status = Status::new(&config.node_name, &boot::boot_id()?, &config.aggregator);
    let web = tokio::spawn(http::serve(listener, status.clone(), stop.clone()));

    let begun = begin::begin(&config, &status, &stop).await?;
    let counted = begun.session.count(&stop).await;
    stop.cancel();
    web.await.context("end the HTTP server")??;
    counted
}

/// What is as large as this gets memory of its own, which goes back as soon as nobody uses it. glibc begins with as much, but learns from what is freed to
/// keep ever larger pieces: a third of the agent's memory, with 10,000 flows. To be called before there are threads.
pub fn keep_little_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "a call into libc")]
    // SAFETY: it takes two numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
    }
}

/// Gives back what glibc keeps although nobody uses it: after the kernel's types were read, and some after large readings.
fn free_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "a call into libc")]
    // SAFETY: it takes no pointers, and locks what it touches.
    unsafe {
        libc::malloc_trim(0);
    }
}

struct Agent {
    kernel: Kernel,
    doorbell: Doorbell,
    /// New flows that no batch has yet.
    rang: Vec<FlowKey>,
    /// Those that wait for their cgroups' names, and until when.
    unnamed: Option<(Instant, Vec<FlowKey>)>,
    collector: Collector,
    outbox: Arc<Outbox>,
    status: Status,
    identity: Identity,
    trimmed: Instant,
}

impl Agent {
    async fn count(
        &mut self,
        mut asked: watch::Receiver<Asked>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let mut now = asked.borrow_and_update().clone();
        let mut tick = ticks(now.interval);
        let mut early = Instant::now();
        let outbox = self.outbox.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Ok(()) = asked.changed() => {
                    let before = std::mem::replace(&mut now, asked.borrow_and_update().clone());
                    if now.interval != before.interval {
                        tick = ticks(now.interval);
                    }
                    self.set_ranges(&now);
                }
                durable = outbox.durable() => self.resume(durable)?,
                _ = tick.tick() => {
                    // The next reading may work, and covers this one's time: a total is a total.
                    if let Err(error) = self.collect(false) {
                        warn!("a reading failed: {error:#}; the next one is tried in {:?}", tick.period());
                    }
                }
                rang = async { tokio::time::sleep_until(early).await; self.doorbell.ring().await } => {
                    rang?;
                    tokio::time::sleep(GATHER).await;
                    self.collect_new();
                    early = Instant::now() + EARLY_EXPORT;
                }
                () = named(&self.unnamed) => {
                    self.rang.extend(self.unnamed.take().into_iter().flat_map(|(_, keys)| keys));
                    self.collect_new();
                }
                // The bell rang while a batch was on its way.
                () = outbox.room(), if !self.rang.is_empty() => self.collect_new(),
            }
        }
    }

    fn set_ranges(&mut self, asked: &Asked) {
        let Some(ranges) = &asked.ranges else {
            return;
        };
        let (kernel, collector) = (&mut self.kernel, &mut self.collector);
        if let Err(error) = tokio::task::block_in_place(|| collector.set_ranges(kernel, ranges)) {
            warn!(
                "the cluster's address ranges are not in the kernel: {error:#}; clients are counted as before"
            );
        }
    }

    /// Reports from where an agent before has stopped.
    fn resume(&mut self, durable: u64) -> Result<()> {
        let (kernel, collector) = (&mut self.kernel, &mut self.collector);
        let last = tokio::task::block_in_place(|| collector.resume(kernel, durable))
            .context("go on with the counts of the agent before")?;
        info!(
            durable,
            last, "reporting goes on where the agent before has stopped"
        );
        self.outbox.resume(last);
        if let Err(error) = self.collect(false) {
            warn!("a reading failed: {error:#}");
        }
        Ok(())
    }

    /// A full reading. Without room in the outbox only the status is kept: the next batch covers the time. `stopping`: there is
    /// no next batch.
    fn collect(&mut self, stopping: bool) -> Result<()> {
        // Everything that rang is in this reading, and in the batch if there is one.
        self.rang.extend(self.doorbell.take());
        self.rang.truncate(MAX_RANG);
        let (kernel, collector) = (&mut self.kernel, &mut self.collector);
        tokio::task::block_in_place(|| collector.read(kernel))?;
        if self.outbox.begins_anew() {
            tokio::task::block_in_place(|| collector.skip(kernel))?;
        }
        if self.outbox.has_room() {
            let sequence = self.outbox.next_sequence();
            let batch = tokio::task::block_in_place(|| collector.batch(kernel, sequence))?;
            self.send(Batch { stopping, ..batch });
            self.rang.clear();
            self.unnamed = None;
        }
        self.collector.tell(&self.status);
        if self.trimmed.elapsed() > TRIM {
            let kernel = &mut self.kernel;
            if tokio::task::block_in_place(|| kernel.watch_connects()) {
                session::tell(&self.kernel, self.collector.probes(), &self.status)?;
            }
            free_memory();
            self.trimmed = Instant::now();
        }
        Ok(())
    }

    fn collect_new(&mut self) {
        self.rang.extend(self.doorbell.take());
        self.rang.truncate(MAX_RANG);
        if let Err(error) = self.export_new() {
            warn!("new flows were not read: {error:#}; they come with the interval");
        }
    }

    fn export_new(&mut self) -> Result<()> {
        if self.rang.is_empty() || !self.outbox.has_room() {
            return Ok(());
        }
        let mut keys = std::mem::take(&mut self.rang);
        let (kernel, collector) = (&mut self.kernel, &mut self.collector);
        if let Some((due, held)) = collector.hold_unnamed(&mut keys) {
            let waiting = self.unnamed.get_or_insert_with(|| (due.into(), Vec::new()));
            waiting.1.extend(held);
            waiting.1.truncate(MAX_RANG);
        }
        let sequence = self.outbox.next_sequence();
        let batch = tokio::task::block_in_place(|| collector.early_batch(kernel, sequence, &keys))?;
        if let Some(batch) = batch {
            self.send(batch);
        }
        Ok(())
    }

    fn send(&mut self, mut batch: Batch) {
        batch.node.clone_from(&self.identity.node);
        batch.boot_id.clone_from(&self.identity.boot_id);
        batch.epoch = self.identity.epoch;
        self.outbox.push(batch);
        self.status.batch_queued(self.outbox.len());
    }

    /// The last counts, if the aggregator is there to take them; whether it took them. `is_told`: the agent stops because it was told to, and says so;
    /// when it breaks off its silence is to be seen as what it is.
    async fn farewell(&mut self, is_told: bool) -> bool {
        let deadline = Instant::now() + FAREWELL;
        while !self.outbox.has_room() && Instant::now() < deadline {
            let _ = tokio::time::timeout_at(deadline, self.outbox.changed()).await;
        }
        if let Err(error) = self.collect(is_told) {
            warn!("the last reading failed: {error:#}");
        }
        while !self.outbox.is_empty() {
            if tokio::time::timeout_at(deadline, self.outbox.changed())
                .await
                .is_err()
            {
                warn!(
                    batches = self.outbox.len(),
                    "stopping with batches that the aggregator did not acknowledge"
                );
                return false;
            }
        }
        self.outbox.has_room()
    }
}

/// Waits until flows that were held back can be named.
async fn named(unnamed: &Option<(Instant, Vec<FlowKey>)>) {
    match unnamed {
        Some((due, _)) => tokio::time::sleep_until(*due).await,
        None => std::future::pending().await,
    }
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
