//! `insight-agent run`: the loop that reads the kernel and fills the outbox.

mod collect;
mod scope;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use insight_proto::v1::Batch;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tracing::{info, warn};

use crate::boot;
use crate::config::Config;
use crate::http;
use crate::kernel::{Doorbell, Kernel, LoadOptions};
use crate::report::{Identity, Outbox, Reporter};
use crate::shutdown;
use crate::status::Status;
use collect::Collector;

/// New flows that ring within this time are exported together.
const GATHER: Duration = Duration::from_millis(20);
/// Between two exports outside the interval, so that a storm of new flows costs at most ten small batches a second.
const EARLY_EXPORT: Duration = Duration::from_millis(100);
/// How long the last batch may take when the agent stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where the kernel's types are.
pub fn btf_path() -> PathBuf {
    std::env::var_os("INSIGHT_BTF").map_or_else(|| "/sys/kernel/btf/vmlinux".into(), PathBuf::from)
}

/// Counts and reports until SIGINT or SIGTERM.
pub async fn run(config: Config) -> Result<()> {
    let stop = shutdown::on_signals()?;
    let boot_id = boot::boot_id()?;
    let listener = http::bind(config.listen).await?;
    let status = Status::new(&config.node_name, &boot_id, &config.aggregator);
    let web = tokio::spawn(http::serve(listener, status.clone(), stop.clone()));

    let (kernel, doorbell, collector) = load(&config, &status).await?;
    let outbox = Arc::new(Outbox::default());
    let identity = Identity {
        node: config.node_name.clone(),
        boot_id,
        epoch: epoch(),
        interval_ms: u32::try_from(config.interval.as_millis()).unwrap_or(u32::MAX),
    };
    let (asked, interval) = watch::channel(config.interval);
    let reporter = Reporter {
        endpoint: Endpoint::from_shared(config.aggregator.clone()).context("aggregator URL")?,
        identity: identity.clone(),
        outbox: outbox.clone(),
        status: status.clone(),
        interval: asked,
    };
    let hang_up = CancellationToken::new();
    let reporting = tokio::spawn(reporter.run(hang_up.clone()));
    let mut agent = Agent {
        kernel,
        doorbell,
        collector,
        outbox,
        status,
        identity,
    };
    let counted = agent.count(interval, &stop).await;
    agent.farewell(stop.is_cancelled()).await;
    hang_up.cancel();
    stop.cancel();
    reporting.await.context("end the report stream")?;
    web.await.context("end the HTTP server")??;
    counted
}

async fn load(config: &Config, status: &Status) -> Result<(Kernel, Doorbell, Collector)> {
    let scope = scope::Scope::of(&config.cgroup_root, &config.cgroup_mount)?;
    let options = LoadOptions {
        scope_cgroup: scope.cgroup,
        scope_level: scope.level,
        max_flows: config.max_flows,
        btf: btf_path(),
    };
    let mut collector = Collector::new(config);
    let (mut kernel, collector) = tokio::task::spawn_blocking(move || -> Result<_> {
        let mut kernel = Kernel::load(&options)?;
        collector.begin(&mut kernel)?;
        Ok((kernel, collector))
    })
    .await
    .context("load the programs")??;
    free_memory();
    status.set_probes(kernel.probes().to_vec());
    for probe in kernel.probes() {
        match &probe.reason {
            None => info!(probe = probe.name, hook = probe.hook, "attached"),
            Some(reason) => warn!(
                probe = probe.name,
                hook = probe.hook,
                lost = probe.lost,
                "not attached: {reason}"
            ),
        }
    }
    if !kernel.counts() {
        let reasons: Vec<_> = kernel
            .probes()
            .iter()
            .filter_map(|probe| probe.reason.as_deref())
            .collect();
        bail!(
            "flows cannot be counted on this kernel: {}; 'insight-agent doctor' says more",
            reasons.join("; ")
        );
    }
    let doorbell = kernel.doorbell()?;
    Ok((kernel, doorbell, collector))
}

/// Gives back what reading the kernel's types took: 13 MiB that glibc would keep.
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
    collector: Collector,
    outbox: Arc<Outbox>,
    status: Status,
    identity: Identity,
}

impl Agent {
    async fn count(
        &mut self,
        mut interval: watch::Receiver<Duration>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let mut tick = ticks(*interval.borrow_and_update());
        let mut early = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Ok(()) = interval.changed() => tick = ticks(*interval.borrow_and_update()),
                _ = tick.tick() => {
                    // The next reading may work, and covers this one's time: a total is a total.
                    if let Err(error) = self.collect(false) {
                        warn!("a reading failed: {error:#}; the next one is tried in {:?}", tick.period());
                    }
                }
                rang = async { tokio::time::sleep_until(early).await; self.doorbell.ring().await } => {
                    rang?;
                    tokio::time::sleep(GATHER).await;
                    if let Err(error) = self.collect_new() {
                        warn!("new flows were not read: {error:#}; they come with the interval");
                    }
                    early = Instant::now() + EARLY_EXPORT;
                }
            }
        }
    }

    /// A full reading. Without room in the outbox only the status is kept: the next batch covers the time. `stopping`: there is
    /// no next batch.
    fn collect(&mut self, stopping: bool) -> Result<()> {
        // Everything that rang is in this reading.
        self.doorbell.take();
        let (kernel, collector) = (&mut self.kernel, &mut self.collector);
        tokio::task::block_in_place(|| collector.read(kernel))?;
        if self.outbox.begins_anew() {
            collector.skip();
        }
        if self.outbox.has_room() {
            let batch = tokio::task::block_in_place(|| collector.batch(kernel))?;
            self.send(Batch { stopping, ..batch });
        }
        self.collector.tell(&self.status);
        Ok(())
    }

    fn collect_new(&mut self) -> Result<()> {
        let keys = self.doorbell.take();
        let (kernel, collector) = (&mut self.kernel, &mut self.collector);
        if keys.is_empty() || !self.outbox.has_room() {
            return Ok(());
        }
        if let Some(batch) = tokio::task::block_in_place(|| collector.early_batch(kernel, &keys))? {
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

    /// The last counts, if the aggregator is there to take them. `is_told`: the agent stops because it was told to, and says so;
    /// when it breaks off its silence is to be seen as what it is.
    async fn farewell(&mut self, is_told: bool) {
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
                return;
            }
        }
    }
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Distinguishes starts: nanoseconds since 1970.
fn epoch() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
}
