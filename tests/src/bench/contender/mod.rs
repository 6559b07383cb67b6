//! What competes: nothing at all, Insight, and what one would do without it.

mod insight;
pub(super) mod worker;

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};

use super::world::World;
use super::{conntrack, packet_counter};
use crate::load::args::Flags;
use crate::process::Process;

pub(super) use insight::{Insight, client_and_server};

/// How often each reads what the kernel has: all alike, though Insight would be as exact with any interval.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// What a contender has counted at the client's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Connections, at any time of their lives.
    pub(super) connections: u64,
    /// Of these, those that it saw while they were open, where that is a matter of luck.
    pub(super) open: u64,
    /// Bytes both ways; with headers, where the contender counts packets.
    pub(super) bytes: u64,
}

/// One that competes. It runs during its own bouts and leaves nothing behind.
pub(super) trait Contender {
    /// Starts it. The processes that are its part in user space.
    fn start(&mut self, world: &World) -> Result<Vec<u32>>;

    /// Ends it after a load on these server ports. What it has counted; `None` if it does not count.
    fn stop(&mut self, world: &World, servers: &Range<u16>) -> Result<Option<Counted>>;
}

/// The machine without any of them.
pub(super) struct Nobody;

impl Contender for Nobody {
    fn start(&mut self, _: &World) -> Result<Vec<u32>> {
        Ok(Vec::new())
    }

    fn stop(&mut self, _: &World, _: &Range<u16>) -> Result<Option<Counted>> {
        Ok(None)
    }
}

/// A program at each packet, whose map is read regularly.
#[derive(Default)]
pub(super) struct PacketCounter(Option<Process>);

impl Contender for PacketCounter {
    fn start(&mut self, world: &World) -> Result<Vec<u32>> {
        let worker = packet_counter::start(world.root.path())?;
        let pid = worker.pid();
        self.0 = Some(worker);
        Ok(vec![pid])
    }

    fn stop(&mut self, _: &World, servers: &Range<u16>) -> Result<Option<Counted>> {
        let worker = self.0.take().context("it does not run")?;
        worker::finish(worker, servers).map(Some)
    }
}

/// Connection tracking in both pods, with byte counts; polled regularly, or just there.
pub(super) struct Conntrack {
    polled: bool,
    client: Option<Process>,
    server: Option<Process>,
}

impl Conntrack {
    pub(super) fn new(polled: bool) -> Self {
        Self {
            polled,
            client: None,
            server: None,
        }
    }
}

impl Contender for Conntrack {
    fn start(&mut self, world: &World) -> Result<Vec<u32>> {
        let start = |pod| conntrack::start(pod, self.polled);
        let (client, server) = (start(&world.client)?, start(&world.server)?);
        let pids = vec![client.pid(), server.pid()];
        (self.client, self.server) = (Some(client), Some(server));
        Ok(pids)
    }

    fn stop(&mut self, _: &World, servers: &Range<u16>) -> Result<Option<Counted>> {
        let take = |worker: &mut Option<Process>| worker.take().context("it does not run");
        let (client, server) = (take(&mut self.client)?, take(&mut self.server)?);
        let counted = worker::finish(client, servers)?;
        worker::finish(server, servers)?;
        Ok(self.polled.then_some(counted))
    }
}

/// Does a worker's work; `None` if the first word is no worker's.
pub(super) fn work(worker: &str, rest: &[String]) -> Option<Result<()>> {
    let work = match worker {
        packet_counter::WORKER => packet_counter::work,
        conntrack::WORKER => conntrack::work,
        _ => return None,
    };
    Some(Flags::parse(rest.iter().cloned()).and_then(|mut flags| work(&mut flags)))
}
