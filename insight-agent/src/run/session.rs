//! One epoch's counting and reporting, from the programs to the stream.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use insight_ebpf::abi::State;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tracing::{info, warn};

use super::Agent;
use super::collect::Collector;
use super::scope::Scope;
use crate::boot;
use crate::config::Config;
use crate::flows::Own;
use crate::kernel::{Kernel, LoadOptions, Probe};
use crate::report::{Asked, Destination, Identity, Outbox, Reporter};
use crate::status::Status;

/// The loaded programs, and the stream that tells of them.
pub(super) struct Session {
    agent: Agent,
    asked: watch::Receiver<Asked>,
    hang_up: CancellationToken,
    reporting: JoinHandle<()>,
}

impl Session {
    /// Loads the programs, or takes over those that run, and opens the stream. `state` is whose counts they are if they begin now.
    pub(super) async fn start(
        config: &Config,
        status: &Status,
        options: LoadOptions,
        state: State,
    ) -> Result<Self> {
        let resumes = options.resume;
        let endpoint =
            Endpoint::from_shared(config.aggregator.clone()).context("aggregator URL")?;
        let destination = Arc::new(Destination::of(endpoint.uri()));
        let own = Own::new(config.listen, destination.clone());
        let mut collector = Collector::new(config, own);
        let (mut kernel, mut collector) = tokio::task::spawn_blocking(move || -> Result<_> {
            let mut kernel = Kernel::load(&options)?;
            if resumes {
                collector.take_over(&kernel)?;
            } else if kernel.counts() {
                collector.begin(&mut kernel, state)?;
            }
            Ok((kernel, collector))
        })
        .await
        .context("load the programs")??;
        super::free_memory();
        tell(&kernel, collector.probes(), status)?;
        collector.tell_memory(&kernel)?;
        collector.charge(kernel.charges());
        let doorbell = kernel.doorbell()?;
        if Scope::is_whole(&config.cgroup_mount) {
            collector.watch(kernel.births()?);
        }
        let outbox = Arc::new(if resumes {
            Outbox::resuming()
        } else {
            Outbox::default()
        });
        let identity = Identity {
            node: config.node_name.clone(),
            boot_id: boot::boot_id()?,
            epoch: collector.state().epoch,
            interval_ms: u32::try_from(config.interval.as_millis()).unwrap_or(u32::MAX),
        };
        let (to_agent, asked) = watch::channel(Asked::nothing(config.interval));
        let reporter = Reporter {
            endpoint,
            destination,
            identity: identity.clone(),
            outbox: outbox.clone(),
            status: status.clone(),
            asked: to_agent,
        };
        let hang_up = CancellationToken::new();
        Ok(Self {
            reporting: tokio::spawn(reporter.run(hang_up.clone())),
            hang_up,
            asked,
            agent: Agent {
                kernel,
                doorbell,
                rang: Vec::new(),
                unnamed: None,
                collector,
                outbox,
                status: status.clone(),
                identity,
                trimmed: Instant::now(),
            },
        })
    }

    /// When counting began, Unix nanoseconds.
    pub(super) fn epoch(&self) -> u64 {
        self.agent.identity.epoch
    }

    /// Counts until told to stop.
    pub(super) async fn count(mut self, stop: &CancellationToken) -> Result<()> {
        let counted = self.agent.count(self.asked.clone(), stop).await;
        self.end(stop.is_cancelled()).await?;
        counted
    }

    /// Reports what is not reported yet, and ends. Whether everything arrived; `patience` is how long the aggregator may take to say
    /// what it has.
    pub(super) async fn drain(mut self, patience: Duration) -> Result<bool> {
        let durable = tokio::time::timeout(patience, self.agent.outbox.durable()).await;
        if let Ok(durable) = durable {
            self.agent.resume(durable)?;
        }
        let is_known = durable.is_ok();
        Ok(self.end(false).await? && is_known)
    }

    async fn end(mut self, is_told: bool) -> Result<bool> {
        let all = self.agent.farewell(is_told).await;
        self.hang_up.cancel();
        self.reporting.await.context("end the report stream")?;
        Ok(all)
    }
}

pub(super) fn tell(kernel: &Kernel, beside: &[Probe], status: &Status) -> Result<()> {
    let probes = [kernel.probes(), beside].concat();
    status.set_probes(probes.clone());
    for probe in &probes {
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
    Ok(())
}
