//! Requests a second on open connections, with and without the agent.

use anyhow::Result;

use super::progress;
use super::ratio::Comparison;
use super::row::Row;
use super::scale::Scale;
use super::traffic::Load;
use super::world::World;

/// Open connections.
const CONNECTIONS: u64 = 8;

/// Requests on each that show how many make a run.
const PROBE: u64 = 10_000;

/// The least ratio.
const FLOOR: f64 = 0.99;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let load = |requests| Load {
        connections: CONNECTIONS,
        requests,
        bytes: 64,
        concurrency: CONNECTIONS as usize,
        rate: 0.0,
    };
    let rate = load(PROBE).run(&World::new()?)?.request_rate();
    let load = load((rate * scale.bout.as_secs_f64()) as u64 / CONNECTIONS);
    progress(format!(
        "{rate:.0} requests/s without an agent; a run has {}",
        load.requests * CONNECTIONS
    ));
    Comparison {
        what: &format!("requests on {CONNECTIONS} open connections (64 bytes each way)"),
        unit: "requests/s",
        work: load.connections * load.requests,
        floor: FLOOR,
        pairs: scale.pairs,
    }
    .run(|world| Ok(load.run(world)?.request_rate()))
}
