//! What a request on an open connection costs, finely enough to see one percent of it.
//!
//! In each round everybody has a bout of one load, and what is compared is always of one round, so that a machine which gets slower changes
//! nothing. No agent has two bouts: its ratio to itself says what the others' are worth. An agent that is halted (SIGSTOP) leaves its programs
//! attached: what it costs is theirs, and the rest is the agent's own work.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::contender::EVERY;
use super::contest::SETTLE;
use super::others::Others;
use super::request_response::{FLOOR, rate, requests};
use super::row::{Budget, Row};
use super::scale::Scale;
use super::stats::{interval, median};
use super::traffic::Load;
use super::world::World;
use super::{cpu, progress};
use crate::product::{Agent, Aggregator};
use crate::wait::pause;

/// Who has a bout in each round.
const WHO: [&str; 4] = [
    "no agent",
    "Insight",
    "its programs alone, agent halted",
    "no agent, again",
];

const NOBODY: usize = 0;
const INSIGHT: usize = 1;
const HALTED: usize = 2;
const CONTROL: usize = 3;

/// How long a bout should take: two of the agent's intervals.
const BOUT: Duration = Duration::from_secs(2);

/// A round's speed counts when other programs had no more of the CPUs than this during any of its bouts. They are in all bouts alike: what they change is
/// in the intervals.
const DISTURBED: f64 = 0.05;

/// How far from 1 the interval of no agent beside itself may reach, and anybody be judged.
const SCATTER: f64 = 0.02;

/// A bout.
#[derive(Clone, Copy, Debug, Default)]
struct Bout {
    /// Requests a second.
    rate: f64,
    /// CPU time of both pods for a request, microseconds.
    pods_us: f64,
    /// The agent's CPU time for a request, microseconds.
    agent_us: f64,
    /// Other programs' share of the CPUs.
    others: f64,
}

type Round = [Bout; WHO.len()];

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let load = requests((rate(&world)? * BOUT.as_secs_f64() / 8.0) as u64);
    let mut agent = world.agent_every(&format!("{}s", EVERY.as_secs()), &aggregator)?;
    agent.daemon.stop()?;
    let mut rounds: Vec<Round> = Vec::new();
    for number in 0..scale.pairs {
        let mut round = Round::default();
        // Everybody at each place, before and after everybody.
        for turn in 0..WHO.len() {
            let turn = if number % 2 == 0 {
                turn
            } else {
                WHO.len() - 1 - turn
            };
            let who = (turn + number / 2) % WHO.len();
            let bout = bout(who, &mut agent, &aggregator, &world, load);
            round[who] = bout.with_context(|| format!("with {}", WHO[who]))?;
        }
        let of_it: Vec<String> = (INSIGHT..WHO.len())
            .map(|who| format!("{} {:.3}", WHO[who], round[who].rate / round[NOBODY].rate))
            .collect();
        progress(format!(
            "round {}: {:.0}/s with no agent; of that: {}; other programs had up to {:.1} % of the CPUs",
            number + 1,
            round[NOBODY].rate,
            of_it.join(", "),
            others(&round) * 100.0
        ));
        rounds.push(round);
    }
    rows(&rounds)
}

fn bout(
    who: usize,
    agent: &mut Agent,
    aggregator: &Aggregator,
    world: &World,
    load: Load,
) -> Result<Bout> {
    let mut programs = vec![aggregator.daemon.pid()?];
    let runs = who == INSIGHT || who == HALTED;
    if runs {
        agent.restart()?;
        programs.push(agent.daemon.pid()?);
    }
    if who == HALTED {
        agent.daemon.signal(Signal::STOP)?;
    }
    pause(SETTLE);
    let agents_time = || match runs {
        true => cpu::used(agent.daemon.pid()?),
        false => Ok(Duration::ZERO),
    };
    let (others, before) = (Others::since_now(world, &programs)?, agents_time()?);
    let done = load.run(world)?;
    let (used, agents) = (others.used()?, agents_time()?.saturating_sub(before));
    if who == HALTED {
        agent.daemon.signal(Signal::CONT)?;
    }
    if runs {
        agent.daemon.stop()?;
    }
    let a_request = 1e6 / done.tally.requests as f64;
    Ok(Bout {
        rate: done.request_rate(),
        pods_us: used.pods.as_secs_f64() * a_request,
        agent_us: agents.as_secs_f64() * a_request,
        others: used.others,
    })
}

/// Other programs' share of the CPUs in the worst bout.
fn others(round: &Round) -> f64 {
    round.iter().map(|bout| bout.others).fold(0.0, f64::max)
}

/// All rounds count for CPU time, which other programs hardly change; for speed those in which they had little.
fn rows(rounds: &[Round]) -> Result<Vec<Row>> {
    let quiet: Vec<Round> = rounds
        .iter()
        .filter(|round| others(round) <= DISTURBED)
        .copied()
        .collect();
    let mut rows = vec![
        Row::new(
            "requests on 8 open connections (64 bytes each way), each client on one CPU with its server: CPU time of both pods for one",
            middle(rounds, |round| round[NOBODY].pods_us)?,
            "µs",
        ),
        Row::new(
            "  the agent's own CPU time for one, read once a second",
            middle(rounds, |round| round[INSIGHT].agent_us)?,
            "µs",
        )
        .digits(3),
        Row::new(
            "  rounds in which other programs had 5 % of the CPUs at most",
            quiet.len() as f64,
            "rounds",
        )
        .digits(0),
    ];
    if !quiet.is_empty() {
        rows.extend(compared(&quiet, "speed", |bout, nobody| {
            bout.rate / nobody.rate
        })?);
    }
    rows.extend(compared(
        rounds,
        "CPU time of both pods, inverse",
        |bout, nobody| nobody.pods_us / bout.pods_us,
    )?);
    Ok(rows)
}

/// Each beside no agent in the same round. Insight is judged where no agent is as fast as itself, and Insight's interval on one side of the budget.
fn compared(rounds: &[Round], what: &str, of: fn(&Bout, &Bout) -> f64) -> Result<Vec<Row>> {
    let ratios = |who: usize| -> Vec<f64> {
        rounds
            .iter()
            .map(|round| of(&round[who], &round[NOBODY]))
            .collect()
    };
    let between = |who| interval(&ratios(who)).context("no round was run");
    let (low, high) = between(CONTROL)?;
    let is_steady = rounds.len() >= 6
        && (1.0 - SCATTER..=1.0).contains(&low)
        && (1.0..=1.0 + SCATTER).contains(&high);
    let (low, high) = between(INSIGHT)?;
    let resolves = is_steady && (low >= FLOOR || high < FLOOR);
    (INSIGHT..WHO.len())
        .map(|who| {
            let (low, high) = between(who)?;
            let what = format!(
                "{what}: {} / no agent, median of {} pairs (95 %: {low:.4} to {high:.4})",
                WHO[who],
                rounds.len()
            );
            let middle = median(&ratios(who)).context("no round was run")?;
            let row = Row::new(what, middle, "ratio").digits(4);
            Ok(match (who, resolves) {
                (INSIGHT, true) => row.budget(Budget::AtLeast(FLOOR)),
                (INSIGHT, false) => row.note("scatters too much to judge"),
                _ => row,
            })
        })
        .collect()
}

fn middle(rounds: &[Round], of: fn(&Round) -> f64) -> Result<f64> {
    let values: Vec<f64> = rounds.iter().map(of).collect();
    median(&values).context("no round was run")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With this speed of Insight and of no agent's second bout.
    fn round(insight: f64, control: f64, others: f64) -> Round {
        let bout = |rate: f64| Bout {
            rate,
            pods_us: 1e6 / rate,
            agent_us: 0.0,
            others,
        };
        [bout(100.0), bout(insight), bout(100.0), bout(control)]
    }

    fn find<'a>(rows: &'a [Row], what: &str) -> &'a Row {
        rows.iter().find(|row| row.what.starts_with(what)).unwrap()
    }

    #[test]
    fn a_steady_control_lets_insight_be_judged() {
        let control = |turn: u8| 99.8 + 0.1 * f64::from(turn % 5);
        let mut rounds: Vec<Round> = (0..8).map(|turn| round(99.5, control(turn), 0.0)).collect();
        rounds.push(round(90.0, 100.0, 0.2));
        let rows = rows(&rounds).unwrap();
        let speed = find(&rows, "speed: Insight / no agent, median of 8 pairs");
        assert_eq!(speed.cells()[1..], ["0.9950", "ratio", "≥ 0.9900", "ok"]);
        // The disturbed round has CPU time, too.
        find(
            &rows,
            "CPU time of both pods, inverse: Insight / no agent, median of 9",
        );
        assert_eq!(find(&rows, "  rounds").cells()[1], "8");
    }

    #[test]
    fn a_control_that_scatters_judges_nobody() {
        // Insight is below the budget or not: it cannot be said.
        let unsure = (0..9).map(|turn| round(97.0 + f64::from(turn), 100.0, 0.0));
        let judged = rows(&unsure.collect::<Vec<_>>()).unwrap();
        assert_eq!(find(&judged, "speed: Insight").cells()[4], "n.a.");
        let scattered = (0..9).map(|turn| round(98.0, 90.0 + 3.0 * f64::from(turn), 0.0));
        let judged = rows(&scattered.collect::<Vec<_>>()).unwrap();
        let cells = find(&judged, "speed: Insight").cells();
        assert_eq!(cells[4], "n.a.");
        assert!(cells[0].contains("scatters"), "{cells:?}");
        assert!(rows(&[]).is_err());
    }
}
