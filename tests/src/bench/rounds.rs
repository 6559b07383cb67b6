//! Several ways to do the same, one after the other in each round, compared with the first.

use anyhow::{Context, Result};

use super::others::Others;
use super::progress;
use super::stats::median;
use super::world::World;

/// How fast a run was, and what it cost.
#[derive(Clone, Copy, Debug)]
struct Speed {
    /// Pieces of work a second.
    rate: f64,
    /// CPU time of both pods for a piece.
    cpu: f64,
    /// Other programs' share of the CPUs.
    others: f64,
}

/// A way compared with the first one. Speeds are medians over the rounds; CPU times are those of the quietest ones: other programs on the
/// machine only add to them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Compared {
    /// Its speed / the first one's.
    pub(super) speed: f64,
    /// The first one's CPU time / its own.
    pub(super) cpu: f64,
    /// CPU time that it adds to a piece, nanoseconds.
    pub(super) more_ns: f64,
    /// Other programs' share of the CPUs in the worst run of either.
    pub(super) others: f64,
}

/// Runs rounds. Their order turns, so that a machine which gets slower favours none.
///
/// `prepare` makes a way's state, which is gone after its run, and says which other programs take part.
pub(super) fn compare<T>(
    world: &World,
    ways: &[&str],
    rounds: usize,
    mut prepare: impl FnMut(usize) -> Result<(T, Vec<u32>)>,
    mut run: impl FnMut() -> Result<(f64, u64)>,
) -> Result<Vec<Compared>> {
    let mut speeds: Vec<Vec<Speed>> = vec![Vec::new(); ways.len()];
    for round in 0..rounds {
        for turn in 0..ways.len() {
            let way = (round + turn) % ways.len();
            let (state, programs) = prepare(way)?;
            let others = Others::since_now(world, &programs)?;
            let (rate, pieces) = run()?;
            let used = others.used()?;
            drop(state);
            let cpu = used.pods.as_secs_f64() / pieces as f64;
            progress(format!(
                "round {}: {}: {rate:.0}/s, CPU {:.2} µs; other programs had {:.1} % of the CPUs",
                round + 1,
                ways[way],
                cpu * 1e6,
                used.others * 100.0
            ));
            speeds[way].push(Speed {
                rate,
                cpu,
                others: used.others,
            });
        }
    }
    speeds.iter().map(|way| against(way, &speeds[0])).collect()
}

fn against(way: &[Speed], first: &[Speed]) -> Result<Compared> {
    let middle = |of: fn(&Speed, &Speed) -> f64| -> Result<f64> {
        let each: Vec<f64> = way
            .iter()
            .zip(first)
            .map(|(way, first)| of(way, first))
            .collect();
        median(&each).context("no round was measured")
    };
    let least = |way: &[Speed]| {
        way.iter()
            .map(|speed| speed.cpu)
            .fold(f64::INFINITY, f64::min)
    };
    Ok(Compared {
        speed: middle(|way, first| way.rate / first.rate)?,
        cpu: least(first) / least(way),
        more_ns: (least(way) - least(first)) * 1e9,
        others: way
            .iter()
            .chain(first)
            .map(|speed| speed.others)
            .fold(0.0, f64::max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_compared_with_themselves() {
        let speed = |rate, cpu| Speed {
            rate,
            cpu,
            others: 0.01,
        };
        let first = [speed(100.0, 1e-6), speed(50.0, 2e-6), speed(200.0, 1e-6)];
        let way = [speed(90.0, 2e-6), speed(45.0, 4e-6), speed(10.0, 8e-6)];
        let compared = against(&way, &first).unwrap();
        assert_eq!((compared.speed, compared.cpu), (0.9, 0.5));
        assert_eq!(compared.others, 0.01);
        assert!((compared.more_ns - 1_000.0).abs() < 1e-6);
        assert!(against(&[], &[]).is_err());
    }
}
