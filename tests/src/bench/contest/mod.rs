//! The same load with each contender, in one interleaved run.

mod bout;
mod judge;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::contender::{Conntrack, Contender, Insight, Nobody, PacketCounter};
use super::others::Others;
use super::row::Row;
use super::traffic::Load;
use super::world::World;
use super::{cpu, progress};
use crate::product::Aggregator;
use crate::wait::pause;

use bout::{Bout, Round};

/// Time for a contender that has started, or stopped, to become quiet.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// A round counts when other programs had no more of the CPUs than this during any of its bouts.
pub(super) const DISTURBED: f64 = 0.03;

/// On a machine that is never quiet, so many times the rounds are run, and the least disturbed ones count.
const TRIES: usize = 2;

/// How many compete.
const CONTENDERS: usize = 6;

/// Who competes: how the table calls it, and of what kind its bytes are.
struct Name {
    name: &'static str,
    bytes: &'static str,
}

/// The first one is the measure of the others, the second one is ours. The last one is the first one again: how far it is from 1
/// says how much any of the ratios is worth.
const NAMES: [Name; CONTENDERS] = [
    Name {
        name: "no agent",
        bytes: "",
    },
    Name {
        name: "Insight",
        bytes: "counted / true payload bytes, client's view",
    },
    Name {
        name: "per-packet counter",
        bytes: "counted bytes, with headers / true payload bytes",
    },
    Name {
        name: "conntrack, not polled",
        bytes: "",
    },
    Name {
        name: "conntrack polling",
        bytes: "counted bytes, with headers / true payload bytes",
    },
    Name {
        name: "no agent, again",
        bytes: "",
    },
];

const NOBODY: usize = 0;
const INSIGHT: usize = 1;
const CONTROL: usize = CONTENDERS - 1;

/// What is compared.
pub(super) struct Contest<'a> {
    /// What is done.
    pub(super) what: &'a str,
    /// One piece of work.
    pub(super) piece: &'static str,
    /// Unit of its speed.
    pub(super) unit: &'static str,
    pub(super) load: Load,
    /// Pieces of work in a load.
    pub(super) work: u64,
    /// Insight's least ratio.
    pub(super) floor: f64,
    /// How many rounds.
    pub(super) rounds: usize,
}

impl Contest<'_> {
    /// Runs rounds, in each of which each has a bout. The aggregator runs all the time, on the same machine; with Insight it also takes in what that reports.
    pub(super) fn run(&self) -> Result<Vec<Row>> {
        let aggregator = Aggregator::start()?;
        let world = World::new()?;
        let mut contenders: [Box<dyn Contender>; CONTENDERS] = [
            Box::new(Nobody),
            Box::new(Insight::new(&world, &aggregator)?),
            Box::new(PacketCounter::default()),
            Box::new(Conntrack::new(false)),
            Box::new(Conntrack::new(true)),
            Box::new(Nobody),
        ];
        let mut rounds: Vec<Round> = Vec::new();
        let quiet = |rounds: &[Round]| {
            let quiet = rounds.iter().filter(|round| round.others() <= DISTURBED);
            quiet.count()
        };
        while quiet(&rounds) < self.rounds && rounds.len() < TRIES * self.rounds {
            let mut round = Round::default();
            for index in order(rounds.len()) {
                let contender = contenders[index].as_mut();
                round.0[index] = self
                    .bout(contender, &world, &aggregator)
                    .with_context(|| format!("with {}", NAMES[index].name))?;
            }
            rounds.push(round);
            progress(format!("round {}: {}", rounds.len(), judge::line(&round)));
        }
        judge::rows(self, rounds)
    }

    fn bout(
        &self,
        contender: &mut dyn Contender,
        world: &World,
        aggregator: &Aggregator,
    ) -> Result<Bout> {
        let own = contender.start(world)?;
        pause(SETTLE);
        let programs = [&own[..], &[aggregator.daemon.pid()?]].concat();
        let others = Others::since_now(world, &programs)?;
        let (start, before) = (Instant::now(), used(&own)?);
        let done = self.load.run(world)?;
        let seconds = start.elapsed().as_secs_f64();
        let user = used(&own)?.saturating_sub(before);
        let used = others.used()?;
        let first = *done.ports.first().context("the load had no server")?;
        let servers = first..first + u16::try_from(done.ports.len())?;
        let counted = contender.stop(world, &servers)?;
        Ok(Bout {
            rate: self.work as f64 / done.elapsed.as_secs_f64(),
            pods_us: used.pods.as_secs_f64() * 1e6 / self.work as f64,
            user: user.as_secs_f64() / seconds,
            others: used.others,
            share: counted.map(|counted| bout::Share::of(counted, &done.tally)),
        })
    }
}

fn used(processes: &[u32]) -> Result<Duration> {
    processes
        .iter()
        .try_fold(Duration::ZERO, |sum, pid| Ok(sum + cpu::used(*pid)?))
}

/// Who comes after whom in a round. Each has each place, and half of the rounds go backwards, so that a machine which gets slower
/// or faster favours nobody, and nobody always follows the same one.
fn order(round: usize) -> [usize; CONTENDERS] {
    let mut order = std::array::from_fn(|place| (place + round / 2) % CONTENDERS);
    if !round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_each_place_and_goes_before_and_after_each() {
        let orders: Vec<_> = (0..2 * CONTENDERS).map(order).collect();
        for who in 0..CONTENDERS {
            for place in 0..CONTENDERS {
                let times = orders.iter().filter(|order| order[place] == who).count();
                assert_eq!(times, 2, "{who} at {place}");
            }
        }
        let before = |one, two| {
            let at = |order: &[usize; CONTENDERS], who| order.iter().position(|at| *at == who);
            orders
                .iter()
                .filter(|order| at(order, one) < at(order, two))
                .count()
        };
        assert_eq!(before(NOBODY, INSIGHT), CONTENDERS);
        // In two rounds already.
        assert_eq!(order(0)[0], order(1)[CONTENDERS - 1]);
    }
}
