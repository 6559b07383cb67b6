//! Requests a second on open connections, with each contender.

use anyhow::Result;

use super::contest::Contest;
use super::progress;
use super::row::Row;
use super::scale::Scale;
use super::traffic::Load;
use super::world::World;

/// Open connections.
const CONNECTIONS: u64 = 8;

/// Requests on each that show how many make a run.
const PROBE: u64 = 10_000;

/// The least ratio of Insight.
pub(super) const FLOOR: f64 = 0.99;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let rate = rate(&World::new()?)?;
    let load = requests((rate * scale.bout.as_secs_f64()) as u64 / CONNECTIONS);
    progress(format!(
        "{rate:.0} requests/s without an agent; a run has {}",
        load.requests * CONNECTIONS
    ));
    Contest {
        what: &format!("requests on {CONNECTIONS} open connections (64 bytes each way)"),
        piece: "request",
        unit: "requests/s",
        load,
        work: load.connections * load.requests,
        floor: FLOOR,
        rounds: scale.bouts,
    }
    .run()
}

/// So many requests on each connection, each client on one CPU with its server.
pub(super) fn requests(requests: u64) -> Load {
    Load {
        connections: CONNECTIONS,
        requests,
        bytes: 64,
        concurrency: CONNECTIONS as usize,
        rate: 0.0,
        pinned: true,
    }
}

/// How many requests go in a second on this machine, without an agent.
pub(super) fn rate(world: &World) -> Result<f64> {
    Ok(requests(PROBE).run(world)?.request_rate())
}
