//! Short connections a second, with each contender.

use anyhow::Result;

use super::conntrack;
use super::contest::Contest;
use super::progress;
use super::row::Row;
use super::scale::Scale;
use super::traffic::Load;
use super::world::World;

/// Connections that show how many make a run.
const PROBE: u64 = 20_000;

/// The least ratio of Insight.
const FLOOR: f64 = 0.97;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let rate = top_rate()?;
    let wanted = (rate * scale.bout.as_secs_f64()) as u64;
    // The kernel tracks a connection for two minutes, and lets no further ones pass when its table is full.
    let most = conntrack::room()?.map_or(u64::MAX, |room| room / 10 * 9);
    let load = Load::short(wanted.min(most));
    progress(format!(
        "{rate:.0} connections/s without an agent; a run has {}",
        load.connections
    ));
    Contest {
        what: "short connections (1 KiB each way)",
        piece: "connection",
        unit: "connections/s",
        load,
        work: load.connections,
        floor: FLOOR,
        rounds: scale.bouts,
    }
    .run()
}

/// How many short connections go in a second on this machine, without an agent.
pub(super) fn top_rate() -> Result<f64> {
    Ok(Load::short(PROBE).run(&World::new()?)?.connection_rate())
}
