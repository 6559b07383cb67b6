//! Time from a first connection to the subscriber that is told of the edge.

use std::time::Duration;

use anyhow::{Context, Result};

use super::crowd::Crowd;
use super::progress;
use super::random::Random;
use super::row::{Budget, Row};
use super::scale::Scale;
use super::stats::{median, percentile};
use super::world::World;
use crate::load::arrival::now_ns;
use crate::product::Aggregator;
use crate::reader::Known;
use crate::wait::pause;

/// Longest wait for one edge: two intervals of the agent.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two edges, milliseconds, at most: irregular, so that no clock of the agent's or the aggregator's keeps step.
const GAP_MS: u64 = 700;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let _agent = world.agent(&aggregator)?;
    let ports = world.ports(scale.edges)?;
    let mut crowd = Crowd::start(&world.client, &world.server, &ports)?;
    let reader = aggregator.reader()?;
    let mut subscription = reader.grpc.subscribe("container")?;
    subscription.wait_for(PATIENCE, "the first snapshot", |known| {
        anyhow::ensure!(known.snapshots > 0, "there was none yet");
        Ok(())
    })?;
    let (from, to) = (
        world.client.container.node_id(),
        world.server.container.node_id(),
    );
    let mut random = Random::new(20);
    let mut times = Vec::new();
    for port in ports {
        pause(Duration::from_millis(50 + random.below(GAP_MS)));
        let connected = crowd.open(&(port..port + 1))?;
        let told = subscription.wait_for(PATIENCE, "a new edge", |known| {
            has_edge(known, &from, &to, port).with_context(|| format!("no edge to port {port}"))?;
            now_ns()
        })?;
        times.push(told.saturating_sub(connected) as f64 / 1e6);
        if times.len().is_multiple_of(25) {
            progress(format!(
                "{} edges, the last took {:.1} ms",
                times.len(),
                told.saturating_sub(connected) as f64 / 1e6
            ));
        }
    }
    rows(&times)
}

fn rows(times: &[f64]) -> Result<Vec<Row>> {
    let none = "no edge was measured";
    Ok(vec![
        Row::new(
            format!("new edge to gRPC subscriber, p99 of {}", times.len()),
            percentile(times, 0.99).context(none)?,
            "ms",
        )
        .digits(1)
        .budget(Budget::Below(300.0)),
        Row::new("  median", median(times).context(none)?, "ms").digits(1),
        Row::new("  longest", percentile(times, 1.0).context(none)?, "ms").digits(1),
    ])
}

fn has_edge(known: &Known, client: &str, server: &str, port: u16) -> Option<()> {
    known
        .edges
        .values()
        .any(|edge| edge.port == u32::from(port) && edge.client == client && edge.server == server)
        .then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p99_is_judged() {
        let mut times = vec![10.0; 99];
        times.extend([400.0, 500.0]);
        let rows = rows(&times).unwrap();
        let cells = rows[0].cells();
        assert_eq!((cells[1].as_str(), cells[4].as_str()), ("400.0", "over"));
        assert_eq!(rows[1].cells()[1], "10.0");
        assert!(super::rows(&[]).is_err());
    }
}
