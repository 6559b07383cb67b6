//! Runs of `insight-load`'s datagrams between the two pods.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::world::World;
use crate::datagrams::serve;
use crate::load::tally::Tally;
use crate::load::udp::Plan;
use crate::traffic::{at, load};

/// Clients of a run, each with a server of its own.
const LANES: u16 = 4;

const PATIENCE: Duration = Duration::from_secs(120);

/// So many requests with replies, of 64 bytes each; how long they took.
pub(super) fn exchange(world: &World, requests: u64, connect: bool) -> Result<(Tally, Duration)> {
    let ports = world.ports(LANES)?;
    let servers = ports
        .clone()
        .map(|port| serve(&world.server, &["--listen", &format!("[::]:{port}")]))
        .collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let clients = ports
        .map(|port| {
            let to = at(world.server.addresses.v4, port);
            let sockets = 2;
            let plan = Plan {
                requests: requests / u64::from(LANES) / sockets,
                concurrency: NonZeroUsize::MIN.saturating_add(1),
                connect,
                ..Plan::new(to, sockets, 64, 64)
            };
            world.client.spawn("udp-client", load(plan.to_args())?)
        })
        .collect::<Result<Vec<_>>>()?;
    let mut tally = Tally::default();
    for mut client in clients {
        let line = client.line(PATIENCE).context("a datagram was lost")?;
        tally += Tally::from_json(&line)?;
        client.finish(PATIENCE)?;
    }
    let elapsed = started.elapsed();
    drop(servers);
    Ok((tally, elapsed))
}
