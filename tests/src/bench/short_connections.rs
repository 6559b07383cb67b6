//! Short connections a second, with and without the agent.

use anyhow::Result;

use super::progress;
use super::ratio::Comparison;
use super::row::Row;
use super::scale::Scale;
use super::traffic::Load;
use super::world::World;

/// Connections that show how many make a run.
const PROBE: u64 = 20_000;

/// The least ratio.
const FLOOR: f64 = 0.97;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let rate = top_rate()?;
    let load = Load::short((rate * scale.bout.as_secs_f64()) as u64);
    progress(format!(
        "{rate:.0} connections/s without an agent; a run has {}",
        load.connections
    ));
    Comparison {
        what: "short connections (1 KiB each way)",
        unit: "connections/s",
        work: load.connections,
        floor: FLOOR,
        pairs: scale.pairs,
    }
    .run(|world| Ok(load.run(world)?.connection_rate()))
}

/// How many short connections go in a second on this machine, without an agent.
pub(super) fn top_rate() -> Result<f64> {
    Ok(Load::short(PROBE).run(&World::new()?)?.connection_rate())
}
