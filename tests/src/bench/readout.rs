//! Time of one pass over the open sockets, for each of them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::row::Row;
use super::scale::Scale;
use super::stats::median;
use super::world::World;
use super::{crowd, progress};
use crate::product::{Agent, Aggregator};
use crate::reader::metrics::sample;
use crate::wait::{PATIENCE, eventually, pause};

/// Open sockets: those of the first step stay for the second.
const STEPS: [u64; 2] = [10_000, 50_000];

/// How often the agent makes a pass here.
const INTERVAL: &str = "500ms";

/// How often it is looked for a new one.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let agent = world.agent_every(INTERVAL, &aggregator)?;
    let mut steps = Vec::new();
    let mut crowds = Vec::new();
    let mut sockets = 0;
    for wanted in STEPS {
        // Each connection is two sockets.
        crowds.extend(crowd::open(&world, (wanted - sockets) / 2)?);
        sockets = wanted;
        agent.settle()?;
        let step = Step {
            sockets,
            passes: passes(&agent, scale.passes)?,
        };
        progress(format!(
            "{sockets} open sockets: {:?} ms",
            step.milliseconds()
        ));
        steps.push(step);
    }
    rows(&steps)
}

/// Seconds of each of the next passes.
fn passes(agent: &Agent, count: usize) -> Result<Vec<f64>> {
    let collections = || agent.status("/collection/count");
    let mut last = collections()?;
    let mut passes = Vec::new();
    while passes.len() < count {
        last = eventually(PATIENCE, "the agent's next pass", || {
            let now = collections()?;
            ensure!(now > last, "still number {last}");
            Ok(now)
        })?;
        passes.push(sample(
            &agent.metrics()?,
            "insight_agent_readout_seconds",
            &[],
        )?);
        pause(LOOK);
    }
    Ok(passes)
}

/// What was seen with so many open sockets.
struct Step {
    sockets: u64,
    /// Seconds.
    passes: Vec<f64>,
}

impl Step {
    fn milliseconds(&self) -> Vec<u64> {
        self.passes.iter().map(|pass| (pass * 1e3) as u64).collect()
    }

    /// Of the quickest pass, seconds: other programs make a pass longer, nothing makes it shorter.
    fn quickest(&self) -> f64 {
        self.passes.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn nanoseconds(&self, pass: f64) -> f64 {
        pass * 1e9 / self.sockets as f64
    }
}

fn rows(steps: &[Step]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for step in steps {
        let middle = median(&step.passes).context("no pass was seen")?;
        let what = format!(
            "readout per open socket, {} of them, quickest of {} passes",
            step.sockets,
            step.passes.len()
        );
        rows.push(Row::new(what, step.nanoseconds(step.quickest()), "ns").digits(0));
        rows.push(Row::new("  median pass", step.nanoseconds(middle), "ns").digits(0));
    }
    if let [few, many] = steps {
        let more = (many.quickest() - few.quickest()) * 1e9;
        rows.push(
            Row::new(
                "  of each socket more, without what a pass takes anyway",
                more / (many.sockets - few.sockets) as f64,
                "ns",
            )
            .digits(0),
        );
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_shared_by_its_sockets() {
        let steps = [
            Step {
                sockets: 10_000,
                passes: vec![0.012, 0.010, 0.020],
            },
            Step {
                sockets: 50_000,
                passes: vec![0.060, 0.042, 0.044],
            },
        ];
        let figures: Vec<String> = rows(&steps)
            .unwrap()
            .iter()
            .map(|row| row.cells()[1].clone())
            .collect();
        assert_eq!(figures, ["1,000", "1,200", "840", "880", "800"]);
        let none = Step {
            sockets: 1,
            passes: Vec::new(),
        };
        assert!(rows(&[none]).is_err());
    }
}
