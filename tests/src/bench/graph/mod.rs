//! Readers: how long a large graph takes, and how soon a hundred subscribers hear of a change.

mod fan_out;

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::ingest::{batches, senders};
use super::row::{Budget, Row};
use super::scale::Scale;
use super::stats::{median, percentile};
use super::{cpu, progress};
use crate::fake_agent::now_ms;
use crate::product::Aggregator;
use crate::reader::grpc::at_level;
use crate::reader::http;

/// Records of an agent's batch: both ends of so many edges between pods.
const RECORDS: u64 = 5_000;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let mut rows = whole(scale)?;
    rows.extend(fan_out::run(scale)?);
    Ok(rows)
}

/// The whole graph of pods, each a workload by itself.
fn whole(scale: &Scale) -> Result<Vec<Row>> {
    let mut aggregator = Aggregator::start()?;
    let edges = scale.agents * RECORDS / 2;
    let agents = (0..scale.agents)
        .map(|agent| Ok(batches::of_agent(agent.try_into()?, 1, RECORDS, now_ms())))
        .collect::<Result<_>>()?;
    senders::send(&aggregator.grpc_url(), agents)?;
    progress(format!("{edges} edges"));
    let reader = aggregator.reader()?;
    let pid = aggregator.daemon.pid()?;
    let before = cpu::used(pid)?;
    let mut grpc = Vec::new();
    for _ in 0..scale.asked {
        let start = Instant::now();
        let graph = reader.grpc.graph(at_level("workload"))?;
        grpc.push(start.elapsed().as_secs_f64() * 1e3);
        let found = graph.edges.len() as u64;
        ensure!(found == edges, "{found} of {edges} edges");
    }
    let used = cpu::used(pid)?.saturating_sub(before).as_secs_f64() * 1e3;
    let mut largest = Vec::new();
    for _ in 0..scale.asked {
        let start = Instant::now();
        http::get_ok(aggregator.http_port, "/v1/graph?top=100")?;
        largest.push(start.elapsed().as_secs_f64() * 1e3);
    }
    aggregator.daemon.stop()?;
    let none = "nothing was asked";
    Ok(vec![
        Row::new(
            format!("GetGraph of {edges} workload edges, p99 of {}", grpc.len()),
            percentile(&grpc, 0.99).context(none)?,
            "ms",
        )
        .digits(0)
        .budget(Budget::Below(500.0)),
        Row::new("  median", median(&grpc).context(none)?, "ms").digits(0),
        Row::new(
            "  the aggregator's CPU for one",
            used / grpc.len() as f64,
            "ms",
        )
        .digits(0),
        Row::new(
            "  only the largest 100, over HTTP, median",
            median(&largest).context(none)?,
            "ms",
        )
        .digits(0),
    ])
}
