//! A subscriber that stops reading: others go on, agents go on, the aggregator's memory does not grow with it, and when it
//! reads again it is told what happened and given the graph as it is.

use std::time::Duration;

use anyhow::{Result, ensure};
use insight_tests::fake_agent::{FakeAgent, Talk, container_node};
use insight_tests::product::Aggregator;
use insight_tests::reader::grpc::at_level;
use insight_tests::reader::{Known, Reader, Subscription, metrics};
use insight_tests::wait::{PATIENCE, eventually};

/// Edges, all of which change with each batch: a delta is then as large as a snapshot, about 100 KiB.
const EDGES: u16 = 400;
const PORT: u16 = 80;

/// Versions that the aggregator keeps anyway, for readers that come back.
const KEPT: u64 = 32;

/// Changes while one reader is asleep, counted from when it has been found slow and the allocator has found its size.
const SETTLE: u64 = 40;
const CHANGES: u64 = 200;

/// How much the aggregator may grow during `CHANGES`, bytes. A queue for the sleeper would have grown by 20 MiB, encoded, and by
/// 200 MiB otherwise. What does grow are the rows of a minute that begins, below 1 MiB, and the store's tables in memory.
const GROWTH: u64 = 8 << 20;

#[test]
fn a_reader_that_sleeps_harms_nobody_and_is_told() -> Result<()> {
    let mut aggregator = Aggregator::start()?;
    // One arena: else each thread keeps freed memory of its own, and how much is chance.
    aggregator.daemon.stop()?;
    aggregator.daemon.set_env("MALLOC_ARENA_MAX", "1");
    aggregator.restart()?;
    // Each has its own runtime, so that one's calls do not move the other's connection.
    let (awake, asleep) = (aggregator.reader()?, aggregator.reader()?);
    let mut agent = FakeAgent::connect(&aggregator.grpc_url(), "busy", 1)?;
    let mut world = World::default();
    world.change(&mut agent)?;
    let mut follower = awake.grpc.subscribe("container")?;
    let mut sleeper = asleep.grpc.subscribe("container")?;
    world.expect_seen(&mut follower)?;
    world.expect_seen(&mut sleeper)?;

    // The history fills, with both awake.
    while follower.known.deltas < KEPT + 4 {
        world.change(&mut agent)?;
        world.expect_seen(&mut follower)?;
        world.expect_seen(&mut sleeper)?;
    }
    ensure!(
        sleeper.known.losses == 0,
        "a reader that reads lost something"
    );

    // From here on each change is acknowledged, and the other reader sees it, while nobody reads here.
    let mut go_on = |changes: u64| -> Result<()> {
        for _ in 0..changes {
            world.change(&mut agent)?;
            world.expect_seen(&mut follower)?;
            sleeper.doze(Duration::from_millis(1));
        }
        Ok(())
    };
    eventually(PATIENCE, "the sleeper to be found slow", || {
        go_on(1)?;
        ensure!(told_slow(&awake)? == 1.0, "nobody was");
        Ok(())
    })?;
    go_on(SETTLE)?;
    let before = aggregator.daemon.resident()?;
    go_on(CHANGES)?;
    let after = aggregator.daemon.resident()?;
    let grown = after.saturating_sub(before);
    eprintln!(
        "resident before: {before}, after: {after}, grown by {grown} bytes over {} deltas of the follower",
        follower.known.deltas
    );
    assert!(grown <= GROWTH, "the aggregator grew by {grown} bytes");
    ensure!(follower.known.losses == 0, "the follower lost something");

    // It wakes: first what was on its way, then the loss, then the whole graph.
    let snapshots = sleeper.known.snapshots;
    sleeper.wait_for(PATIENCE, "word of the loss", |known| {
        ensure!(known.losses == 1, "{} losses", known.losses);
        Ok(())
    })?;
    assert_eq!(sleeper.known.lost_reasons, ["slow_reader"]);
    sleeper.wait_for(PATIENCE, "a snapshot", |known| {
        ensure!(
            known.snapshots == snapshots + 1,
            "{} snapshots",
            known.snapshots
        );
        Ok(())
    })?;
    expect_graph(&awake, &sleeper.known)?;

    // And it is a reader like any other again.
    world.change(&mut agent)?;
    world.expect_seen(&mut sleeper)?;
    world.expect_seen(&mut follower)?;
    ensure!(sleeper.known.losses == 1, "it lost more");
    expect_graph(&awake, &sleeper.known)?;
    expect_graph(&awake, &follower.known)
}

fn told_slow(reader: &Reader) -> Result<f64> {
    metrics::sample(
        &reader.metrics()?,
        "insight_aggregator_lost_notifications_total",
        &["reason=\"slow_reader\""],
    )
}

/// What a reader knows must be what `GetGraph` says.
fn expect_graph(reader: &Reader, known: &Known) -> Result<()> {
    let graph = reader.grpc.graph(at_level("container"))?;
    assert_eq!(graph.edges.len(), usize::from(EDGES));
    assert!(graph.edges.iter().eq(known.edges.values()), "edges differ");
    assert!(graph.nodes.iter().eq(known.nodes.values()), "nodes differ");
    Ok(())
}

/// How often every edge has changed.
#[derive(Default)]
struct World {
    changes: u64,
}

impl World {
    /// One connection more on every edge.
    fn change(&mut self, agent: &mut FakeAgent) -> Result<()> {
        self.changes += 1;
        let talks: Vec<Talk> = (1..=EDGES)
            .map(|client| Talk {
                client,
                server: 0,
                port: PORT,
                connections: 1,
                sent: 100,
                received: 1_000,
            })
            .collect();
        agent.report(&talks)
    }

    /// Waits until a reader has all of it.
    fn expect_seen(&self, reader: &mut Subscription) -> Result<()> {
        let client = container_node(EDGES);
        let count = self.changes;
        reader.wait_for_edge(PATIENCE, (&client, &container_node(0), PORT), |edge| {
            for view in [edge.client_view, edge.server_view] {
                let opened = view.map_or(0, |view| view.opened);
                ensure!(opened == count, "{opened} of {count} connections: {view:?}");
            }
            Ok(())
        })?;
        Ok(())
    }
}
