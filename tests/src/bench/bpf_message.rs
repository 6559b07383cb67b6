//! BPF runs of a message on an open connection: there must be none. And those of the per-packet counter.

use anyhow::{Context, Result};

use super::bpf::{Runs, Statistics, runs_by_traffic};
use super::bpf_connection::empty;
use super::row::{Budget, Row};
use super::scale::Scale;
use super::stats::{median, percentile};
use super::traffic::Load;
use super::world::World;
use super::{packet_counter, progress};
use crate::product::Aggregator;
use crate::traffic::{Held, at, serve};

/// Messages between two looks: some 30 ms. The programs run for the whole machine, so connections of others add runs, and nothing
/// takes any away; many such short slices have none. A run for each message, or for each hundredth, would show in every slice.
const SLICE: u64 = 1_000;

/// Share of the slices that may be as low as the figure.
const LOW: f64 = 0.1;

/// Connections that show what timing a run costs.
const FOR_EMPTY: u64 = 5_000;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let mut agent = world.agent(&aggregator)?;
    let port = world.ports(1)?.start;
    let _server = serve(&world.server, port)?;
    let mut held = Held::open(&world.client, at(world.server.addresses.v4, port), 1, 0)?;
    held.exchange(64, 64)?;
    let _statistics = Statistics::on()?;
    let ours = slices(&mut held, agent.daemon.pid()?, scale.messages)?;
    agent.daemon.stop()?;
    let worker = packet_counter::start(world.root.path())?;
    let counter = slices(&mut held, worker.pid(), scale.messages)?;
    drop(worker);
    held.close()?;
    let empty = empty(&Load::short(FOR_EMPTY), &world)?;
    rows(&ours, &counter, empty.mean_ns().context("nothing ran")?)
}

/// Runs of a process's programs in each slice.
fn slices(held: &mut Held, pid: u32, messages: u64) -> Result<Vec<Runs>> {
    (0..messages / SLICE)
        .map(|_| {
            let before = runs_by_traffic(pid)?;
            // A request and its reply.
            for _ in 0..SLICE / 2 {
                held.exchange(64, 64)?;
            }
            Ok(runs_by_traffic(pid)?.since(before))
        })
        .collect()
}

fn rows(ours: &[Runs], counter: &[Runs], empty_ns: f64) -> Result<Vec<Row>> {
    let message = |of: &dyn Fn(&Runs) -> f64, slices: &[Runs]| -> Vec<f64> {
        slices.iter().map(|runs| of(runs) / SLICE as f64).collect()
    };
    let count = |runs: &Runs| runs.count as f64;
    let time = |runs: &Runs| runs.time_ns as f64;
    let net = |runs: &Runs| runs.time_ns as f64 - runs.count as f64 * empty_ns;
    let runs = message(&count, ours);
    let none = runs.iter().filter(|runs| **runs == 0.0).count();
    progress(format!(
        "{none} of {} slices of {SLICE} messages have no run",
        ours.len()
    ));
    let low = |values: &[f64]| percentile(values, LOW).context("nothing was measured");
    let middle = |values: &[f64]| median(values).context("nothing was measured");
    Ok(vec![
        Row::new(
            format!(
                "BPF runs per TCP message on an open connection, lowest tenth of {} × {SLICE} messages",
                ours.len()
            ),
            low(&runs)?,
            "runs",
        )
        .digits(3)
        .budget(Budget::Exactly(0.0)),
        Row::new("  BPF time, gross", low(&message(&time, ours))?, "ns")
            .digits(1)
            .budget(Budget::Exactly(0.0)),
        Row::new(
            "  mean, with what other connections of the machine add",
            runs.iter().sum::<f64>() / runs.len() as f64,
            "runs",
        )
        .digits(5),
        Row::new(
            "  per-packet counter: runs per TCP message, both ends",
            middle(&message(&count, counter))?,
            "runs",
        ),
        Row::new(
            "  per-packet counter: BPF time per TCP message, both ends, net of timing",
            middle(&message(&net, counter))?,
            "ns",
        )
        .digits(1),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_do_not_count_and_timing_does_not_either() {
        let runs = |time_ns, count| Runs { time_ns, count };
        let mut ours = vec![runs(0, 0); 9];
        ours.push(runs(10_000, 100));
        // Two runs a message of 150 ns each, 50 of them for timing.
        let counter = [runs(300_000, 2_000); 3];
        let rows = rows(&ours, &counter, 50.0).unwrap();
        let figures: Vec<String> = rows.iter().map(|row| row.cells()[1].clone()).collect();
        assert_eq!(figures, ["0.000", "0.0", "0.01000", "2.00", "200.0"]);
        assert_eq!(rows[0].cells()[4], "ok");
        let busy = super::rows(&[runs(2_000, 20)], &counter, 50.0).unwrap();
        assert_eq!(
            (busy[0].cells()[4].as_str(), busy[1].cells()[1].as_str()),
            ("over", "2.0")
        );
        assert!(super::rows(&[], &counter, 50.0).is_err());
    }
}
