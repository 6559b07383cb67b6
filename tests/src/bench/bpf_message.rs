//! BPF runs of a message on an open connection: there must be none.

use anyhow::{Context, Result};

use super::bpf::{Statistics, runs_by_traffic};
use super::progress;
use super::row::{Budget, Row};
use super::scale::Scale;
use super::stats::percentile;
use super::world::World;
use crate::product::Aggregator;
use crate::traffic::{Held, at, serve};

/// Messages between two looks: some 30 ms. The programs run for the whole machine, so connections of others add runs, and nothing
/// takes any away; many such short slices have none. A run for each message, or for each hundredth, would show in every slice.
const SLICE: u64 = 1_000;

/// Share of the slices that may be as low as the figure.
const LOW: f64 = 0.1;

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
    let mut slices = Vec::new();
    for _ in 0..scale.messages / SLICE {
        let before = runs_by_traffic(pid)?;
        // A request and its reply.
        for _ in 0..SLICE / 2 {
            held.exchange(64, 64)?;
        }
        slices.push(runs_by_traffic(pid)?.since(before).count as f64);
    }
    held.close()?;
    let none = slices.iter().filter(|runs| **runs == 0.0).count();
    progress(format!(
        "{none} of {} slices of {SLICE} messages have no run",
        slices.len()
    ));
    let low = percentile(&slices, LOW).context("nothing was measured")?;
    Ok(vec![
        Row::new(
            format!(
                "BPF runs per TCP message on an open connection, lowest tenth of {} × {SLICE} messages",
                slices.len()
            ),
            low / SLICE as f64,
            "runs",
        )
        .digits(3)
        .budget(Budget::Exactly(0.0)),
        Row::new(
            "  mean, with what other connections of the machine add",
            slices.iter().sum::<f64>() / (slices.len() as f64 * SLICE as f64),
            "runs",
        )
        .digits(5),
    ])
}
