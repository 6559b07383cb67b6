//! Speed with the agent over speed without it, in interleaved pairs.

use std::time::Duration;

use anyhow::{Context, Result};

use super::progress;
use super::row::{Budget, Row};
use super::stats::median;
use super::world::World;
use crate::product::Aggregator;
use crate::wait::pause;

/// Time for an agent that has started, or stopped, to become quiet.
const SETTLE: Duration = Duration::from_secs(1);

/// One run each, one after the other.
#[derive(Clone, Copy, Debug)]
struct Pair {
    with: f64,
    without: f64,
}

/// Runs pairs. The order within a pair alternates, so a machine that gets slower or faster favours neither. The aggregator runs
/// all the time, on the same machine; with the agent it also takes in what that reports.
pub(super) fn compare(
    what: &str,
    unit: &'static str,
    floor: f64,
    pairs: usize,
    mut speed: impl FnMut(&World) -> Result<f64>,
) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let mut agent = world.agent(&aggregator)?;
    agent.daemon.stop()?;
    let mut measured = Vec::new();
    for number in 1..=pairs {
        let with_first = !number.is_multiple_of(2);
        let (mut with, mut without) = (0.0, 0.0);
        for with_agent in [with_first, !with_first] {
            if with_agent {
                agent.restart()?;
                pause(SETTLE);
                with = speed(&world)?;
                agent.daemon.stop()?;
            } else {
                pause(SETTLE);
                without = speed(&world)?;
            }
        }
        progress(format!(
            "pair {number} of {pairs}: {with:.0} with, {without:.0} without, ratio {:.4}",
            with / without
        ));
        measured.push(Pair { with, without });
    }
    rows(what, unit, floor, &measured)
}

fn rows(what: &str, unit: &'static str, floor: f64, pairs: &[Pair]) -> Result<Vec<Row>> {
    let ratios: Vec<f64> = pairs.iter().map(|pair| pair.with / pair.without).collect();
    let middle = |of: fn(&Pair) -> f64| -> Result<f64> {
        let values: Vec<f64> = pairs.iter().map(of).collect();
        median(&values).context("no pair was measured")
    };
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let ratio = median(&ratios).context("no pair was measured")?;
    let count = pairs.len();
    Ok(vec![
        Row::new(
            format!("{what}, with / without the agent, median of {count} pairs"),
            ratio,
            "ratio",
        )
        .digits(3)
        .budget(Budget::AtLeast(floor)),
        Row::new("  lowest pair", least, "ratio").digits(3),
        Row::new("  highest pair", most, "ratio").digits(3),
        Row::new("  with the agent, median", middle(|pair| pair.with)?, unit).digits(0),
        Row::new(
            "  without the agent, median",
            middle(|pair| pair.without)?,
            unit,
        )
        .digits(0),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_ratios_counts() {
        let pairs = [(90.0, 100.0), (300.0, 200.0), (99.0, 100.0)]
            .map(|(with, without)| Pair { with, without });
        let rows = rows("x", "/s", 0.97, &pairs).unwrap();
        let figures: Vec<String> = rows.iter().map(|row| row.cells()[1].clone()).collect();
        assert_eq!(figures, ["0.990", "0.900", "1.500", "99", "100"]);
        assert_eq!(rows[0].cells()[4], "ok");
        assert!(super::rows("x", "/s", 0.97, &[]).is_err());
    }
}
