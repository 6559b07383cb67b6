//! BPF time of a TCP connection: both ends, from connect to close, less what timing itself costs. The per-packet counter is
//! measured in the same rounds.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::bpf::{EmptyProgram, Runs, Statistics, runs_by_traffic};
use super::row::{Budget, Row};
use super::scale::Scale;
use super::traffic::Load;
use super::world::World;
use super::{packet_counter, progress};
use crate::product::Aggregator;
use crate::wait::pause;

/// Time for the last closes to be done.
const CLOSING: Duration = Duration::from_millis(300);

/// What one connection takes, nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    gross: f64,
    net: f64,
    runs: f64,
    /// Of one run of an empty program.
    empty: f64,
}

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let mut agent = world.agent(&aggregator)?;
    agent.daemon.stop()?;
    let load = Load::short(scale.connections);
    let statistics = Statistics::on()?;
    let (mut costs, mut counter_costs) = (Vec::new(), Vec::new());
    for round in 1..=scale.rounds {
        agent.restart()?;
        let counted = of(&load, &world, agent.daemon.pid()?)?;
        agent.daemon.stop()?;

        let worker = packet_counter::start(world.root.path())?;
        let packets = of(&load, &world, worker.pid())?;
        drop(worker);

        let empty = empty(&load, &world)?;
        let cost = cost(counted, empty, load.connections)?;
        let counter = self::cost(packets, empty, load.connections)?;
        progress(format!(
            "round {round} of {}: {:.0} ns gross, {:.0} ns net, {:.2} runs, empty program {:.1} ns a run; per-packet counter {:.0} ns net, {:.2} runs",
            scale.rounds, cost.gross, cost.net, cost.runs, cost.empty, counter.net, counter.runs
        ));
        costs.push(cost);
        counter_costs.push(counter);
    }
    drop(statistics);
    rows(&quietest(costs)?, &quietest(counter_costs)?)
}

/// Runs of a process's programs in a load.
fn of(load: &Load, world: &World, pid: u32) -> Result<Runs> {
    let before = runs_by_traffic(pid)?;
    load.run(world)?;
    pause(CLOSING);
    Ok(runs_by_traffic(pid)?.since(before))
}

/// Runs of an empty program in a load.
pub(super) fn empty(load: &Load, world: &World) -> Result<Runs> {
    let program = EmptyProgram::attach(c"inet_sock_set_state")?;
    load.run(world)?;
    pause(CLOSING);
    program.runs()
}

/// Connections of others run the programs too, and nothing takes a run away.
fn quietest(costs: Vec<Cost>) -> Result<Cost> {
    costs
        .into_iter()
        .min_by(|one, two| one.runs.total_cmp(&two.runs))
        .context("nothing was measured")
}

fn rows(ours: &Cost, counter: &Cost) -> Result<Vec<Row>> {
    ensure!(ours.net > 0.0, "counting took no time: {ours:?}");
    Ok(vec![
        Row::new(
            "BPF time per TCP connection, both ends, net of timing",
            ours.net / 1e3,
            "µs",
        )
        .digits(3)
        .budget(Budget::AtMost(1.0)),
        Row::new("  gross", ours.gross / 1e3, "µs").digits(3),
        Row::new("  runs per connection", ours.runs, "runs"),
        Row::new("  empty program, per run", ours.empty, "ns").digits(1),
        Row::new(
            "  per-packet counter: BPF time per TCP connection, both ends, net of timing",
            counter.net / 1e3,
            "µs",
        )
        .digits(3),
        Row::new(
            "  per-packet counter: runs per connection, one for each packet at each end",
            counter.runs,
            "runs",
        ),
        Row::new(
            "  per-packet counter: BPF time of a run, net of timing",
            counter.net / counter.runs,
            "ns",
        )
        .digits(1),
        Row::new(
            "  per-packet counter / Insight",
            counter.net / ours.net,
            "ratio",
        )
        .digits(1),
    ])
}

fn cost(counted: Runs, empty: Runs, connections: u64) -> Result<Cost> {
    ensure!(
        counted.count > 0 && connections > 0,
        "nothing ran: {counted:?}"
    );
    let connections = connections as f64;
    let empty = empty.mean_ns().context("the empty program did not run")?;
    let gross = counted.time_ns as f64 / connections;
    let runs = counted.count as f64 / connections;
    Ok(Cost {
        gross,
        net: gross - runs * empty,
        runs,
        empty,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn net_is_less_an_empty_program_for_each_run() {
        let runs = |time_ns, count| Runs { time_ns, count };
        let cost = cost(runs(120_000, 1_000), runs(50_000, 1_000), 100).unwrap();
        assert_eq!((cost.gross, cost.runs, cost.empty), (1_200.0, 10.0, 50.0));
        assert_eq!(cost.net, 700.0);
        assert!(super::cost(runs(0, 0), runs(1, 1), 1).is_err());
        assert!(super::cost(runs(1, 1), runs(0, 0), 1).is_err());
    }

    #[test]
    fn the_counter_is_compared_with_ours() {
        let cost = |net, runs| Cost {
            gross: 0.0,
            net,
            runs,
            empty: 60.0,
        };
        let rows = rows(&cost(500.0, 20.0), &cost(4_000.0, 16.0)).unwrap();
        let figures: Vec<String> = rows.iter().map(|row| row.cells()[1].clone()).collect();
        assert_eq!(figures[4..], ["4.000", "16.00", "250.0", "8.0"]);
        assert!(super::rows(&cost(0.0, 20.0), &cost(1.0, 1.0)).is_err());
        let quietest = quietest(vec![cost(9.0, 21.0), cost(8.0, 20.0), cost(7.0, 22.0)]).unwrap();
        assert_eq!(quietest.net, 8.0);
    }
}
