//! Speed with the agent over speed without it, in interleaved pairs.

use std::time::Duration;

use anyhow::{Context, Result};

use super::others::Others;
use super::progress;
use super::row::{Budget, Row};
use super::stats::median;
use super::world::World;
use crate::product::Aggregator;
use crate::wait::pause;

/// Time for an agent that has started, or stopped, to become quiet.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// A pair counts when other programs had no more of the CPUs than this during either run.
pub(super) const DISTURBED: f64 = 0.03;

/// On a machine that is never quiet, so many times the pairs are run, and the least disturbed ones count.
const TRIES: usize = 2;

/// One run each, one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    with: Speed,
    without: Speed,
    /// Other programs' share of the CPUs in the worse run.
    others: f64,
}

/// How fast a run was.
#[derive(Clone, Copy, Debug, Default)]
struct Speed {
    /// Pieces of work a second.
    rate: f64,
    /// CPU time of both pods for a piece, microseconds.
    cpu_us: f64,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.with.rate / self.without.rate
    }
}

/// What is compared.
pub(super) struct Comparison<'a> {
    /// What is done.
    pub(super) what: &'a str,
    /// Unit of its speed.
    pub(super) unit: &'static str,
    /// Pieces of work in a run.
    pub(super) work: u64,
    /// The least ratio.
    pub(super) floor: f64,
    /// How many pairs.
    pub(super) pairs: usize,
}

impl Comparison<'_> {
    /// Runs pairs. The order within a pair alternates, so a machine that gets slower or faster favours neither. The aggregator
    /// runs all the time, on the same machine; with the agent it also takes in what that reports.
    pub(super) fn run(&self, mut rate: impl FnMut(&World) -> Result<f64>) -> Result<Vec<Row>> {
        let aggregator = Aggregator::start()?;
        let world = World::new()?;
        let mut agent = world.agent(&aggregator)?;
        agent.daemon.stop()?;
        let mut measured: Vec<Pair> = Vec::new();
        let quiet = |measured: &[Pair]| {
            let quiet = measured.iter().filter(|pair| pair.others <= DISTURBED);
            quiet.count()
        };
        while quiet(&measured) < self.pairs && measured.len() < TRIES * self.pairs {
            let with_first = measured.len().is_multiple_of(2);
            let mut pair = Pair::default();
            for with_agent in [with_first, !with_first] {
                let mut programs = vec![aggregator.daemon.pid()?];
                if with_agent {
                    agent.restart()?;
                    programs.push(agent.daemon.pid()?);
                }
                pause(SETTLE);
                let others = Others::since_now(&world, &programs)?;
                let rate = rate(&world)?;
                let used = others.used()?;
                pair.others = used.others.max(pair.others);
                let speed = Speed {
                    rate,
                    cpu_us: used.pods.as_secs_f64() * 1e6 / self.work as f64,
                };
                if with_agent {
                    agent.daemon.stop()?;
                    pair.with = speed;
                } else {
                    pair.without = speed;
                }
            }
            measured.push(pair);
            progress(format!(
                "pair {}: {:.0} with, {:.0} without, ratio {:.4}; CPU {:.2} µs and {:.2} µs; other programs had up to {:.1} % of the CPUs",
                measured.len(),
                pair.with.rate,
                pair.without.rate,
                pair.ratio(),
                pair.with.cpu_us,
                pair.without.cpu_us,
                pair.others * 100.0
            ));
        }
        self.rows(measured)
    }

    fn rows(&self, mut pairs: Vec<Pair>) -> Result<Vec<Row>> {
        pairs.sort_by(|one, two| one.others.total_cmp(&two.others));
        pairs.truncate(self.pairs);
        let ratios: Vec<f64> = pairs.iter().map(Pair::ratio).collect();
        let middle = |of: fn(&Pair) -> f64| -> Result<f64> {
            let values: Vec<f64> = pairs.iter().map(of).collect();
            median(&values).context("no pair was measured")
        };
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let worst = pairs.last().context("no pair was measured")?.others;
        let ratio = median(&ratios).context("no pair was measured")?;
        let (what, count) = (self.what, pairs.len());
        let (with, without) = (
            middle(|pair| pair.with.rate)?,
            middle(|pair| pair.without.rate)?,
        );
        let cpu_ratio = middle(|pair| pair.without.cpu_us / pair.with.cpu_us)?;
        let cpu_more = middle(|pair| pair.with.cpu_us - pair.without.cpu_us)?;
        let speed = Row::new(
            format!("{what}, with / without the agent, median of {count} pairs"),
            ratio,
            "ratio",
        )
        .digits(3);
        let quiet = worst <= DISTURBED;
        Ok(vec![
            // What others have taken from one run and not from the other says nothing about the agent.
            match quiet {
                true => speed.budget(Budget::AtLeast(self.floor)),
                false => speed.note("too disturbed to be judged"),
            },
            Row::new("  lowest pair", least, "ratio").digits(3),
            Row::new("  highest pair", most, "ratio").digits(3),
            Row::new("  with the agent, median", with, self.unit).digits(0),
            Row::new("  without the agent, median", without, self.unit).digits(0),
            Row::new(
                "  CPU time of both pods, without / with",
                cpu_ratio,
                "ratio",
            )
            .digits(3),
            Row::new("  CPU time that the agent adds to one", cpu_more, "µs"),
            Row::new(
                "  other programs' CPU in the worst pair",
                worst * 100.0,
                "%",
            )
            .digits(1),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPARISON: Comparison = Comparison {
        what: "x",
        unit: "/s",
        work: 1,
        floor: 0.97,
        pairs: 3,
    };

    fn pair(with: f64, without: f64, others: f64) -> Pair {
        let speed = |rate: f64| Speed {
            rate,
            cpu_us: 1e3 / rate,
        };
        Pair {
            with: speed(with),
            without: speed(without),
            others,
        }
    }

    #[test]
    fn the_median_of_the_quietest_pairs_counts() {
        let pairs = vec![
            pair(90.0, 100.0, 0.01),
            pair(1.0, 100.0, 0.5),
            pair(300.0, 200.0, 0.02),
            pair(99.0, 100.0, 0.0),
        ];
        let rows = COMPARISON.rows(pairs).unwrap();
        let figures: Vec<String> = rows.iter().map(|row| row.cells()[1].clone()).collect();
        assert_eq!(
            figures,
            [
                "0.990", "0.900", "1.500", "99", "100", "0.990", "0.10", "2.0"
            ]
        );
        assert_eq!(rows[0].cells()[4], "ok");
        assert!(COMPARISON.rows(Vec::new()).is_err());

        let disturbed = vec![pair(90.0, 100.0, 0.4)];
        let cells = COMPARISON.rows(disturbed).unwrap()[0].cells();
        assert_eq!(cells[4], "n.a.");
        assert!(cells[0].contains("disturbed"), "{cells:?}");
    }
}
