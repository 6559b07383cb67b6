//! Insight: its agent, which reports to an aggregator.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Contender, Counted, EVERY};
use crate::bench::world::World;
use crate::product::{Agent, Aggregator};
use crate::reader::{Counts, Reader};
use crate::wait::eventually;

/// An agent that stops reports first, and waits until that has arrived; the reader's view of it may be a moment older.
const PATIENCE: Duration = Duration::from_secs(5);

/// An agent that is stopped between its bouts.
pub(in crate::bench) struct Insight {
    agent: Agent,
    reader: Reader,
}

impl Insight {
    /// One that does not run yet.
    pub(in crate::bench) fn new(world: &World, aggregator: &Aggregator) -> Result<Self> {
        let interval = format!("{}s", EVERY.as_secs());
        let mut agent = world.agent_every(&interval, aggregator)?;
        agent.daemon.stop()?;
        Ok(Self {
            agent,
            reader: aggregator.reader()?,
        })
    }
}

impl Contender for Insight {
    fn start(&mut self, _: &World) -> Result<Vec<u32>> {
        self.agent.restart()?;
        Ok(vec![self.agent.daemon.pid()?])
    }

    fn stop(&mut self, world: &World, servers: &Range<u16>) -> Result<Option<Counted>> {
        self.agent.daemon.stop()?;
        let ports: Vec<u16> = servers.clone().collect();
        let counted = || client_and_server(&self.reader, world, &ports).map(|[client, _]| client);
        // Until it does not change any more.
        let mut last = counted()?;
        let settled = eventually(PATIENCE, "the last report", || {
            let now = counted()?;
            let before = std::mem::replace(&mut last, now);
            ensure!(now == before, "{before:?} became {now:?}");
            Ok(now)
        })?;
        Ok(Some(Counted {
            connections: settled.opened,
            open: settled.opened,
            bytes: settled.bytes_sent + settled.bytes_received,
        }))
    }
}

/// Both views of the pods' edges, client's and server's, over some ports.
pub(in crate::bench) fn client_and_server(
    reader: &Reader,
    world: &World,
    ports: &[u16],
) -> Result<[Counts; 2]> {
    let (from, to) = (
        world.client.container.node_id(),
        world.server.container.node_id(),
    );
    let mut views = [Counts::default(); 2];
    for edge in reader.grpc.edges("container")? {
        if edge.client == from && edge.server == to && ports.contains(&edge.port) {
            let [client, server] = &mut views;
            *client += edge.client_view.context("no client's view")?;
            *server += edge.server_view.context("no server's view")?;
        }
    }
    Ok(views)
}
