//! kill -9, of the aggregator under load and of the agent: what was acknowledged is there, once; what is past stays as it was;
//! and nothing is left in the kernel.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use insight_tests::bpf::{self, Kind};
use insight_tests::fake_agent::{FakeAgent, Talk, container_node, now_ms};
use insight_tests::load::client::Plan;
use insight_tests::load::tally::Tally;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, Edge, Reader};
use insight_tests::traffic::{at, finish_client, run_client, serve, start_client};
use insight_tests::wait::{PATIENCE, eventually, pause};
use insight_tests::world::Pods;
use serde_json::Value;

const PORT: u16 = 7001;
const KILLS: u64 = 6;

/// Batches on their way at the same time, as many as an agent has.
const BURST: u64 = 4;

#[test]
fn what_was_acknowledged_survives_kills() -> Result<()> {
    Pods::exact("what was acknowledged survives kills", over_kills)
}

fn over_kills(pods: &Pods) -> Result<()> {
    let _serving = serve(&pods.server, PORT)?;
    let mut aggregator = Aggregator::start()?;
    let reader = aggregator.reader()?;
    let past = Past::store(&aggregator, &reader)?;
    let _agent = Agent::start(&aggregator, "crash", &pods.root)?;

    let mut plan = Plan::new(at(pods.server.addresses.v6, PORT), 4_000, 300, 1_500);
    plan.rate = 200.0;
    let running = start_client(&pods.client, &plan)?;
    let real = || pods.edge(&reader, PORT);
    eventually(PATIENCE, "real traffic", real)?;
    let mut pumped = Pumped::default();
    for kill in 1..=KILLS {
        let url = aggregator.grpc_url();
        let pump = thread::spawn(move || pump(&url));
        let moment = random_moment();
        eprintln!("kill {kill} comes after {moment:?}");
        pause(moment);
        let shown = real()?;
        aggregator.daemon.kill()?;
        let now = pump.join().map_err(|_| anyhow!("the pump panicked"))??;
        ensure!(now.acked >= pumped.acked, "{pumped:?} became {now:?}");
        pumped = now;

        aggregator.restart()?;
        past.expect_unchanged(&reader)?;
        let durable = FakeAgent::connect(&aggregator.grpc_url(), "pump", 1)?.acked;
        ensure!(
            (pumped.acked..=pumped.sent).contains(&durable),
            "{durable} batches are durable of {pumped:?}"
        );
        expect_batches(&reader, durable)?;
        let again = real()?;
        ensure!(not_less(&again, &shown), "{shown:?} became {again:?}");
    }
    ensure!(pumped.acked > KILLS, "the pump did not run: {pumped:?}");

    let mut last = FakeAgent::connect(&aggregator.grpc_url(), "pump", 1)?;
    burst(&mut last)?;
    expect_batches(&reader, last.acked)?;
    let tally = finish_client(running)?;
    assert_eq!(tally.connections, plan.connections);
    pods.expect(&reader, PORT, &Counts::finished(&tally))?;
    past.expect_unchanged(&reader)
}

#[test]
fn a_killed_agent_leaves_nothing_but_a_gap() -> Result<()> {
    Pods::exact("a killed agent leaves nothing but a gap", killed_agent)
}

fn killed_agent(pods: &Pods) -> Result<()> {
    let _serving = serve(&pods.server, PORT)?;
    let aggregator = Aggregator::start()?;
    let mut agent = Agent::start(&aggregator, "killed", &pods.root)?;
    let reader = aggregator.reader()?;
    let expect = |tally: &Tally| pods.expect(&reader, PORT, &Counts::finished(tally));
    let to = at(pods.server.addresses.v4, PORT);
    let first = run_client(&pods.client, &Plan::new(to, 50, 100, 200))?;
    expect(&first)?;

    let objects = bpf::held_by(agent.daemon.pid()?)?;
    for kind in [Kind::Program, Kind::Map, Kind::Link] {
        ensure!(
            objects.iter().any(|object| object.kind == kind),
            "no {kind:?} in {objects:?}"
        );
    }
    for object in &objects {
        ensure!(object.exists()?, "{object:?} is not there");
    }
    agent.daemon.kill()?;
    // The kernel frees them a moment after the last descriptor is closed.
    eventually(PATIENCE, "nothing to be left in the kernel", || {
        for object in &objects {
            ensure!(!object.exists()?, "{object:?} is still there");
        }
        Ok(())
    })?;

    // Nobody counts these, and the graph must not pretend to know.
    run_client(&pods.client, &Plan::new(to, 10, 100, 200))?;
    let gap = eventually(PATIENCE, "a gap", || silence(&reader))?;
    expect(&first)?;

    agent.restart()?;
    let second = run_client(&pods.client, &Plan::new(to, 30, 100, 200))?;
    expect(&(first + second))?;
    let later = silence(&reader)?;
    assert_eq!(gap["from"], later["from"], "the gap stays in the graph");
    Ok(())
}

/// The one gap of the agent that was killed.
fn silence(reader: &Reader) -> Result<Value> {
    let graph = reader.graph("level=workload")?;
    let gaps = graph["gaps"].as_array().context("no gaps")?;
    ensure!(
        gaps.len() == 1 && gaps[0]["node"] == "killed" && gaps[0]["reason"] == "agent_silent",
        "gaps: {gaps:?}"
    );
    ensure!(graph["complete"] == false, "a graph with a gap is complete");
    Ok(gaps[0].clone())
}

/// A graph of some minutes ago.
struct Past {
    query: String,
    graph: Value,
}

impl Past {
    fn store(aggregator: &Aggregator, reader: &Reader) -> Result<Self> {
        let end = now_ms() - 600_000;
        let mut agent = FakeAgent::connect(&aggregator.grpc_url(), "history", 1)?;
        let talk = Talk {
            client: 11,
            server: 12,
            port: 443,
            connections: 7,
            sent: 700,
            received: 70_000,
        };
        let batch = agent.next_batch(&[talk], (end - 500, end));
        agent.send(batch)?;
        agent.wait_acked()?;
        let query = format!("level=container&at={}", end + 5_000);
        let graph = reader.graph(&query)?;
        let edge = reader_edge(&graph, 11, 12, 443)?;
        let counts = edge.client_view.context("no client view")?;
        assert_eq!((counts.opened, counts.bytes_received), (7, 70_000));
        Ok(Self { query, graph })
    }

    fn expect_unchanged(&self, reader: &Reader) -> Result<()> {
        assert_eq!(reader.graph(&self.query)?, self.graph);
        Ok(())
    }
}

fn reader_edge(graph: &Value, client: u16, server: u16, port: u16) -> Result<Edge> {
    let edges = insight_tests::reader::edge::from_json(graph)?;
    let (client, server) = (container_node(client), container_node(server));
    insight_tests::reader::edge::find(&edges, &client, &server, port)
}

/// How far a pump came.
#[derive(Clone, Copy, Debug, Default)]
struct Pumped {
    acked: u64,
    sent: u64,
}

/// Sends batches as fast as they are acknowledged, until the aggregator is gone.
fn pump(url: &str) -> Result<Pumped> {
    let mut agent = FakeAgent::connect(url, "pump", 1)?;
    while burst(&mut agent).is_ok() {}
    Ok(Pumped {
        acked: agent.acked,
        sent: agent.acked + BURST,
    })
}

/// The next batches, all at once. What is in a batch follows from its sequence.
fn burst(agent: &mut FakeAgent) -> Result<()> {
    let first = agent.acked + 1;
    for sequence in first..first + BURST {
        let now = now_ms();
        let batch = agent.next_batch(&[talk(sequence)], (now - 10, now));
        ensure!(
            batch.sequence == sequence,
            "{} comes after {sequence}",
            batch.sequence
        );
        agent.send(batch)?;
    }
    agent.wait_acked()
}

fn talk(sequence: u64) -> Talk {
    Talk {
        client: 1,
        server: 2,
        port: 80,
        connections: 1,
        sent: 1_000 + sequence,
        received: sequence,
    }
}

/// The graph must have the first so many batches, each once, and no part of another.
fn expect_batches(reader: &Reader, batches: u64) -> Result<()> {
    if batches == 0 {
        return Ok(());
    }
    let triangle = batches * (batches + 1) / 2;
    let edge = reader.edge("container", &container_node(1), &container_node(2), 80)?;
    edge.expect_both(&Counts {
        opened: batches,
        closed: batches,
        bytes_sent: 1_000 * batches + triangle,
        bytes_received: triangle,
        ..Counts::default()
    })
    .with_context(|| format!("after {batches} batches"))
}

fn not_less(now: &Edge, before: &Edge) -> bool {
    [
        (&now.client_view, &before.client_view),
        (&now.server_view, &before.server_view),
    ]
    .into_iter()
    .all(|(now, before)| match (now, before) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(now), Some(before)) => now.at_least(before),
    })
}

/// From the first batch's way to some seconds of load.
fn random_moment() -> Duration {
    // std seeds each RandomState anew.
    Duration::from_millis(20 + RandomState::new().hash_one(KILLS) % 1_500)
}
