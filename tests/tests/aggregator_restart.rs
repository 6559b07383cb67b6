//! An aggregator that is restarted under traffic: the agent comes back by itself, and not a connection or byte is lost or
//! counted twice.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, ensure};
use insight_tests::cgroup::CgroupRoot;
use insight_tests::load::client::Plan;
use insight_tests::needs_root;
use insight_tests::net::Net;
use insight_tests::pod::Pod;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, Reader};
use insight_tests::traffic::{at, finish_client, serve, start_client};
use insight_tests::wait::{PATIENCE, eventually};

const PORT: u16 = 7001;

/// Restarts in the client's time.
const RESTARTS: u64 = 3;

/// Tries without an aggregator before it comes back.
const TRIES: usize = 4;

#[test]
fn totals_stay_exact_over_restarts() -> Result<()> {
    needs_root!("totals stay exact over restarts");
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let (server, client) = (Pod::new(&net, &root)?, Pod::new(&net, &root)?);
    let _serving = serve(&server, PORT)?;
    let mut aggregator = Aggregator::start()?;
    let agent = Agent::start(&aggregator, "restart", &root)?;
    let reader = aggregator.reader()?;
    let opened = |reader: &Reader| -> Result<u64> {
        let edge = reader.edge("workload", &client.node_id(), &server.node_id(), PORT)?;
        Ok(edge.client_view.context("the client was not seen")?.opened)
    };

    let mut plan = Plan::new(at(server.addresses.v4, PORT), 4_000, 300, 1_500);
    plan.rate = 200.0;
    plan.concurrency = NonZeroUsize::MIN.saturating_add(1);
    let running = start_client(&client, &plan)?;
    let mut before = 0;
    for _ in 0..RESTARTS {
        // Each outage begins while connections are coming in.
        before = eventually(PATIENCE, "more connections", || {
            let now = opened(&reader)?;
            ensure!(now > before, "there are {now}");
            Ok(now)
        })?;
        aggregator.daemon.stop()?;
        let tried = waits(&agent.daemon.log()).len();
        eventually(PATIENCE, "the agent to try again and again", || {
            let more = waits(&agent.daemon.log()).len() - tried;
            ensure!(more >= TRIES, "{more} tries");
            Ok(())
        })?;
        aggregator.restart()?;
        let stored = opened(&reader)?;
        ensure!(stored >= before, "{before} connections became {stored}");
    }
    let tally = finish_client(running)?;
    assert_eq!(tally.connections, plan.connections);
    let exact = Counts::finished(&tally);
    eventually(PATIENCE, "exact totals", || {
        for level in ["container", "workload"] {
            let (from, to) = match level {
                "container" => (client.container.node_id(), server.container.node_id()),
                _ => (client.node_id(), server.node_id()),
            };
            reader.edge(level, &from, &to, PORT)?.expect_both(&exact)?;
        }
        Ok(())
    })?;
    backed_off(&agent)?;
    let status = agent.metrics()?;
    let reconnects = insight_tests::reader::metrics::sum(
        &status,
        "insight_agent_aggregator_reconnects_total",
        &[],
    );
    assert_eq!(reconnects, RESTARTS as f64, "{status}");
    Ok(())
}

/// Within an outage each wait is as long as the one before or longer: a wait is between half of a full one and all of it, and
/// the next full one is twice as long.
fn backed_off(agent: &Agent) -> Result<()> {
    let log = agent.daemon.log();
    let outages: Vec<Vec<f64>> = log
        .split("reporting")
        .map(waits)
        .filter(|waits| !waits.is_empty())
        .collect();
    ensure!(
        outages.len() as u64 == RESTARTS,
        "outages in the log: {outages:?}"
    );
    for waits in outages {
        ensure!(waits.len() >= TRIES, "tries in an outage: {waits:?}");
        ensure!(
            waits.is_sorted() && waits.first() < waits.last(),
            "waits do not grow: {waits:?}"
        );
    }
    Ok(())
}

/// The waits that a log tells of, in seconds.
fn waits(log: &str) -> Vec<f64> {
    log.lines()
        .filter_map(|line| {
            let (_, after) = line.split_once("next try in ")?;
            let wait = after.split(';').next()?;
            let seconds = |text: &str| text.parse::<f64>().ok();
            match wait.strip_suffix("ms") {
                Some(ms) => Some(seconds(ms)? / 1_000.0),
                None => seconds(wait.strip_suffix('s')?),
            }
        })
        .collect()
}
