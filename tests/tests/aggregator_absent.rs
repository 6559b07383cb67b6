//! An aggregator that is away for more than a minute while many flows are busy: the agent's memory stays flat, nothing is
//! lost, and the graph says that it knows that minute less finely.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use insight_tests::load::sweep::Plan;
use insight_tests::load::tally::Tally;
use insight_tests::pod::Pod;
use insight_tests::process::Process;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, metrics};
use insight_tests::traffic::{finish_client, load, serve};
use insight_tests::wait::{PATIENCE, eventually, pause};
use insight_tests::world::Pods;

const PORT: u16 = 7001;

/// Addresses of the server. Each is a flow at either end, 4,000 in all.
const ADDRESSES: u32 = 2_000;
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 245, 0, 1);

/// How long the aggregator is away. One batch is made ahead, half a second's worth; the next one covers more than the minute
/// beyond which a graph is coarse.
const HALF_AWAY: Duration = Duration::from_secs(33);

/// How much the agent may grow in the second half. It has nothing new to remember then: the flows are known, and the outbox is
/// full. An agent that queued its batches would keep 66 more of 400 rows each, several MiB; what the allocator takes for its own
/// order, as readings of other sizes come by, is less than one batch of everything.
const GROWTH: u64 = 256 * 1024;

fn sweep(rounds: u64, rate: f64) -> Plan {
    Plan {
        from: None,
        to: SocketAddrV4::new(FIRST, PORT),
        addresses: ADDRESSES,
        rounds,
        rate,
        send: 100,
        receive: 400,
    }
}

fn start(client: &Pod, plan: &Plan) -> Result<Process> {
    client.spawn("insight-load sweep", load(plan.to_args())?)
}

#[test]
fn memory_is_flat_and_nothing_is_lost() -> Result<()> {
    let promise = "memory is flat and nothing is lost without an aggregator";
    Pods::exact(promise, without_aggregator)
}

fn without_aggregator(pods: &Pods) -> Result<()> {
    let (client, server) = (&pods.client, &pods.server);
    let (subnet, via) = ("10.245.0.0/16", server.addresses.v4.to_string());
    server
        .namespace
        .ip(&["route", "add", "local", subnet, "dev", "lo"])?;
    client
        .namespace
        .ip(&["route", "add", subnet, "via", &via])?;
    let _serving = serve(server, PORT)?;
    let mut aggregator = Aggregator::start()?;
    let agent = Agent::start(&aggregator, "absent", &pods.root)?;
    let reader = aggregator.reader()?;
    let expect = |tally: &Tally| pods.expect(&reader, PORT, &Counts::finished(tally));

    // Every flow once: the agent then knows all that it has to remember.
    let warm = finish_client(start(client, &sweep(1, 0.0))?)?;
    expect(&warm)?;

    aggregator.daemon.stop()?;
    // At 400 connections a second each reading finds about 400 flows changed, and a batch that waits has all 4,000. The traffic
    // goes on beyond the outage.
    let running = start(client, &sweep(15, 400.0))?;
    eventually(PATIENCE, "a full outbox", || unacknowledged(&agent, 1.0))?;
    pause(HALF_AWAY);
    let half = agent.daemon.resident()?;
    pause(HALF_AWAY);
    unacknowledged(&agent, 1.0)?;
    let end = agent.daemon.resident()?;
    let grown = end.saturating_sub(half);
    eprintln!(
        "resident after half of the outage: {half}, after all of it: {end}, grown by {grown} bytes"
    );
    assert!(grown <= GROWTH, "the agent grew by {grown} bytes");

    aggregator.restart()?;
    let tally = finish_client(running)?;
    assert_eq!(tally.connections, 15 * u64::from(ADDRESSES));
    expect(&(warm + tally))?;
    unacknowledged(&agent, 0.0)
        .or_else(|_| eventually(PATIENCE, "an empty outbox", || unacknowledged(&agent, 0.0)))?;

    let graph = reader.graph("level=workload")?;
    let gaps = graph["gaps"].as_array().context("no gaps")?;
    let coarse: Vec<_> = gaps
        .iter()
        .filter(|gap| gap["reason"] == "coarse" && gap["node"] == "absent")
        .collect();
    ensure!(coarse.len() == 1, "one coarse report, found {gaps:?}");
    assert_eq!(graph["complete"], false, "{gaps:?}");
    Ok(())
}

/// Checks how many batches wait for the aggregator.
fn unacknowledged(agent: &Agent, expected: f64) -> Result<()> {
    let found = metrics::sample(
        &agent.metrics()?,
        "insight_agent_batches_unacknowledged",
        &[],
    )?;
    ensure!(found == expected, "{found} batches are not acknowledged");
    Ok(())
}
