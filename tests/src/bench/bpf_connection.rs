//! BPF time of a TCP connection: both ends, from connect to close, less what timing itself costs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::bpf::{EmptyProgram, Runs, Statistics, runs_by_traffic};
use super::progress;
use super::row::{Budget, Row};
use super::scale::Scale;
use super::traffic::Load;
use super::world::World;
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
    let mut costs = Vec::new();
    for round in 1..=scale.rounds {
        agent.restart()?;
        let pid = agent.daemon.pid()?;
        let before = runs_by_traffic(pid)?;
        load.run(&world)?;
        pause(CLOSING);
        let counted = runs_by_traffic(pid)?.since(before);
        agent.daemon.stop()?;

        let program = EmptyProgram::attach(c"inet_sock_set_state")?;
        load.run(&world)?;
        pause(CLOSING);
        let cost = cost(counted, program.runs()?, load.connections)?;
        progress(format!(
            "round {round} of {}: {:.0} ns gross, {:.0} ns net, {:.2} runs, empty program {:.1} ns a run",
            scale.rounds, cost.gross, cost.net, cost.runs, cost.empty
        ));
        costs.push(cost);
    }
    drop(statistics);
    // Connections of others run the programs too, and nothing takes a run away.
    let quietest = costs
        .into_iter()
        .min_by(|one, two| one.runs.total_cmp(&two.runs))
        .context("nothing was measured")?;
    Ok(vec![
        Row::new(
            "BPF time per TCP connection, both ends, net of timing",
            quietest.net / 1e3,
            "µs",
        )
        .digits(3)
        .budget(Budget::AtMost(1.0)),
        Row::new("  gross", quietest.gross / 1e3, "µs").digits(3),
        Row::new("  runs per connection", quietest.runs, "runs"),
        Row::new("  empty program, per run", quietest.empty, "ns").digits(1),
    ])
}

fn cost(counted: Runs, empty: Runs, connections: u64) -> Result<Cost> {
    ensure!(
        counted.count > 0 && empty.count > 0 && connections > 0,
        "nothing ran: {counted:?}, {empty:?}"
    );
    let connections = connections as f64;
    let empty = empty.time_ns as f64 / empty.count as f64;
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
    }
}
