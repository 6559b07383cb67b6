//! Runs of `insight-load` between the two pods.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::world::World;
use crate::load::client::Plan;
use crate::load::tally::Tally;
use crate::pod::Pod;
use crate::process::{Process, cpus, pin};
use crate::traffic::{at, load};

/// Clients of a run, each with a server of its own. More than one keeps two cores busy; and no server port gets more
/// connections than clients have ports.
const LANES: u16 = 4;

/// Longest wait for the end of a run beyond what it should take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to do, over all clients.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Connections.
    pub(super) connections: u64,
    /// Requests on each.
    pub(super) requests: u64,
    /// Bytes of a request, and of a reply.
    pub(super) bytes: u64,
    /// Connections open at the same time.
    pub(super) concurrency: usize,
    /// Connections a second; 0 for as many as go.
    pub(super) rate: f64,
    /// Whether each client shares one CPU with its server. Then no request waits for another CPU to wake up, and where the scheduler puts
    /// the programs makes no difference between two runs.
    pub(super) pinned: bool,
}

impl Load {
    /// Connections with 1 KiB each way, as many as go.
    pub(super) fn short(connections: u64) -> Self {
        Self {
            connections,
            requests: 1,
            bytes: 1024,
            concurrency: usize::from(LANES),
            rate: 0.0,
            pinned: false,
        }
    }

    /// Starts it. Any connection that fails is an error at the end.
    pub(super) fn start(self, world: &World) -> Result<Running> {
        let lanes = u64::from(LANES);
        let ports = world.ports(LANES)?;
        let cpus = if self.pinned { cpus()? } else { Vec::new() };
        let cpu = |lane: u16| cpus.get(usize::from(lane) % cpus.len().max(1)).copied();
        let servers = (0..)
            .zip(ports.clone())
            .map(|(lane, port)| {
                let listen = format!("[::]:{port}");
                let mut server = start(&world.server, &["server", "--listen", &listen], cpu(lane))?;
                server.line(PATIENCE)?;
                Ok(server)
            })
            .collect::<Result<Vec<_>>>()?;
        let started = Instant::now();
        let clients = (0..)
            .zip(ports.clone())
            .map(|(lane, port): (u16, u16)| {
                let to = at(world.server.addresses.v4, port);
                // The first ones take what does not divide.
                let connections = self.connections / lanes
                    + u64::from(u64::from(lane) < self.connections % lanes);
                let plan = Plan {
                    requests: self.requests,
                    concurrency: NonZeroUsize::new(self.concurrency / usize::from(LANES))
                        .unwrap_or(NonZeroUsize::MIN),
                    rate: self.rate / f64::from(LANES),
                    ..Plan::new(to, connections, self.bytes, self.bytes)
                };
                start(&world.client, &plan.to_args(), cpu(lane))
            })
            .collect::<Result<Vec<_>>>()?;
        let expected = match self.rate > 0.0 {
            true => Duration::from_secs_f64(self.connections as f64 / self.rate),
            false => Duration::ZERO,
        };
        Ok(Running {
            load: self,
            clients,
            servers,
            started,
            limit: expected + PATIENCE,
            ports: ports.collect(),
        })
    }

    /// Runs it to its end.
    pub(super) fn run(self, world: &World) -> Result<Done> {
        self.start(world)?.finish()
    }
}

/// Starts `insight-load` in a pod, on a CPU if one is said.
fn start<S: AsRef<str>>(pod: &Pod, args: &[S], cpu: Option<usize>) -> Result<Process> {
    let mut command = load(args)?;
    if let Some(cpu) = cpu {
        pin(&mut command, cpu);
    }
    pod.spawn("insight-load", command)
}

/// Traffic that is on its way; ends with this.
pub(super) struct Running {
    load: Load,
    clients: Vec<Process>,
    servers: Vec<Process>,
    started: Instant,
    limit: Duration,
    ports: Vec<u16>,
}

/// What was done.
pub(super) struct Done {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    /// Ports of the servers.
    pub(super) ports: Vec<u16>,
}

impl Running {
    /// Waits for the end.
    pub(super) fn finish(mut self) -> Result<Done> {
        let mut tally = Tally::default();
        for client in &mut self.clients {
            let line = client
                .line(self.limit)
                .context("a connection failed, or the run takes too long")?;
            tally += Tally::from_json(&line)?;
        }
        let elapsed = self.started.elapsed();
        for client in &mut self.clients {
            client.finish(PATIENCE)?;
        }
        ensure!(
            tally.connections == self.load.connections && tally.failed == 0,
            "{} connections were wanted: {tally:?}",
            self.load.connections
        );
        drop(self.servers);
        Ok(Done {
            tally,
            elapsed,
            ports: self.ports,
        })
    }
}

impl Done {
    /// Connections a second.
    pub(super) fn connection_rate(&self) -> f64 {
        self.tally.connections as f64 / self.elapsed.as_secs_f64()
    }

    /// Requests a second.
    pub(super) fn request_rate(&self) -> f64 {
        self.tally.requests as f64 / self.elapsed.as_secs_f64()
    }
}
