//! A change, told to everybody.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use insight_proto::v1::graph_event::Event;
use insight_proto::v1::topology_service_client::TopologyServiceClient;
use insight_proto::v1::{GraphEvent, SubscribeRequest};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tonic::Streaming;

use crate::bench::row::{Budget, Row};
use crate::bench::scale::Scale;
use crate::bench::stats::{median, percentile};
use crate::bench::{cpu, progress};
use crate::fake_agent::{FakeAgent, Talk};
use crate::product::Aggregator;
use crate::wait::pause;

/// Who listens at the same time.
const SUBSCRIBERS: usize = 100;
/// Longest wait for one message.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two changes: the aggregator has told the last one.
const GAP: Duration = Duration::from_millis(300);

/// A subscriber was told of the edge at this port.
struct Told {
    port: u32,
    at: Instant,
}

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let mut aggregator = Aggregator::start()?;
    let mut agent = FakeAgent::connect(&aggregator.grpc_url(), "fan-out", 1)?;
    agent.report(&[talk(8_000)])?;
    let runtime = Runtime::new()?;
    let (tell, mut told) = unbounded_channel();
    for _ in 0..SUBSCRIBERS {
        let stream = runtime.block_on(subscribe(aggregator.grpc_url()))?;
        runtime.spawn(listen(stream, tell.clone()));
    }
    progress(format!("{SUBSCRIBERS} subscribers"));
    let pid = aggregator.daemon.pid()?;
    let before = cpu::used(pid)?;
    let (mut each, mut last) = (Vec::new(), Vec::new());
    for change in 0..scale.changes {
        let port = 8_001 + change;
        let start = Instant::now();
        agent.report(&[talk(port)])?;
        let mut times = Vec::new();
        while times.len() < SUBSCRIBERS {
            let next = runtime.block_on(async { timeout(PATIENCE, told.recv()).await });
            let next: Told = next
                .with_context(|| format!("{} of {SUBSCRIBERS} were told", times.len()))?
                .context("no subscriber is left")?;
            ensure!(next.port == u32::from(port), "told of {} late", next.port);
            times.push(next.at.duration_since(start).as_secs_f64() * 1e3);
        }
        last.push(percentile(&times, 1.0).unwrap_or_default());
        each.extend(times);
        pause(GAP);
    }
    let used = cpu::used(pid)?.saturating_sub(before).as_secs_f64() * 1e3;
    aggregator.daemon.stop()?;
    let none = "nothing was told";
    Ok(vec![
        Row::new(
            format!("a report to each of {SUBSCRIBERS} subscribers, p99"),
            percentile(&each, 0.99).context(none)?,
            "ms",
        )
        .digits(1)
        .budget(Budget::Below(300.0)),
        Row::new("  median", median(&each).context(none)?, "ms").digits(1),
        Row::new(
            "  until the last one of them, median",
            median(&last).context(none)?,
            "ms",
        )
        .digits(1),
        Row::new(
            "  the aggregator's CPU for a change",
            used / f64::from(scale.changes),
            "ms",
        )
        .digits(1),
    ])
}

async fn subscribe(url: String) -> Result<Streaming<GraphEvent>> {
    let mut client = TopologyServiceClient::connect(url).await?;
    let request = SubscribeRequest::default();
    let mut stream = client.subscribe(request).await?.into_inner();
    let first = timeout(PATIENCE, stream.message()).await??;
    let first = first.and_then(|message| message.event);
    ensure!(
        matches!(first, Some(Event::Snapshot(_))),
        "no snapshot: {first:?}"
    );
    Ok(stream)
}

async fn listen(mut stream: Streaming<GraphEvent>, tell: UnboundedSender<Told>) {
    while let Ok(Some(message)) = stream.message().await {
        let at = Instant::now();
        if let Some(Event::Delta(delta)) = message.event {
            for edge in delta.add_edges {
                let port = edge.port;
                if tell.send(Told { port, at }).is_err() {
                    return;
                }
            }
        }
    }
}

fn talk(port: u16) -> Talk {
    Talk {
        client: 0,
        server: 1,
        port,
        connections: 1,
        sent: 10,
        received: 10,
    }
}
