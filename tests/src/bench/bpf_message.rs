//! BPF runs of a message on an open connection: there must be none.

use anyhow::{Context, Result};

use super::bpf::{Statistics, about};
use super::fdinfo::Objects;
use super::progress;
use super::row::{Budget, Row};
use super::scale::Scale;
use super::world::World;
use crate::product::Aggregator;
use crate::traffic::{Held, at, serve};

/// The program that the agent runs each interval, whatever is sent.
const READOUT: &str = "readout";

/// The kernel's programs run for the whole machine, so a connection of someone else adds runs, and nothing takes any away: the
/// least of so many tries counts.
const TRIES: usize = 5;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let agent = world.agent(&aggregator)?;
    let pid = agent.daemon.pid()?;
    let port = world.ports(1)?.start;
    let _server = serve(&world.server, port)?;
    let mut held = Held::open(&world.client, at(world.server.addresses.v4, port), 1, 0)?;
    held.exchange(64, 64)?;
    let _statistics = Statistics::on()?;
    let mut least: Option<u64> = None;
    for number in 1..=TRIES {
        let before = runs(pid)?;
        // A request and its reply.
        for _ in 0..scale.messages / 2 {
            held.exchange(64, 64)?;
        }
        let more = runs(pid)? - before;
        progress(format!(
            "try {number}: {more} runs during {} messages",
            scale.messages
        ));
        least = Some(least.map_or(more, |least| least.min(more)));
        if least == Some(0) {
            break;
        }
    }
    held.close()?;
    let least = least.context("nothing was measured")?;
    Ok(vec![
        Row::new(
            format!(
                "BPF runs per TCP message on an open connection ({} messages)",
                scale.messages
            ),
            least as f64 / scale.messages as f64,
            "runs",
        )
        .digits(6)
        .budget(Budget::Exactly(0.0)),
    ])
}

/// Runs of all of the agent's programs that traffic could start.
fn runs(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for id in Objects::of(pid)?.programs {
        let (name, runs) = about(id)?;
        if name != READOUT {
            sum += runs.count;
        }
    }
    Ok(sum)
}
