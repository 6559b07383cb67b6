//! An aggregator that is restarted under traffic: the agent comes back by itself, and not a connection or byte is lost or
//! counted twice.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::load::tally::Tally;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, metrics};
use insight_tests::traffic::{at, finish_client, serve, start_client};
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::world::Pods;

const PORT: u16 = 7001;

/// Restarts, each while a client runs.
const RESTARTS: u64 = 3;

/// The agent's metric.
const RECONNECTS: &str = "insight_agent_aggregator_reconnects_total";

/// Tries without an aggregator before it comes back.
const TRIES: usize = 4;

#[test]
fn totals_stay_exact_over_restarts() -> Result<()> {
    Pods::exact("totals stay exact over restarts", over_restarts)
}

fn over_restarts(pods: &Pods) -> Result<()> {
    let _serving = serve(&pods.server, PORT)?;
    let mut aggregator = Aggregator::start()?;
    let agent = Agent::start(&aggregator, "restart", &pods.root)?;
    let reader = aggregator.reader()?;
    let opened = || -> Result<u64> {
        let view = pods.edge(&reader, PORT)?.client_view;
        Ok(view.context("the client was not seen")?.opened)
    };

    let mut plan = Plan::new(at(pods.server.addresses.v4, PORT), 1_500, 300, 1_500);
    plan.rate = 200.0;
    plan.concurrency = NonZeroUsize::MIN.saturating_add(1);
    let mut tally = Tally::default();
    for outage in 1..=RESTARTS {
        let running = start_client(&pods.client, &plan)?;
        // The outage begins while connections are coming in.
        let before = eventually(PATIENCE, "more connections", || {
            let now = opened()?;
            ensure!(now > tally.connections, "there are {now}");
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
        let stored = opened()?;
        ensure!(stored >= before, "{before} connections became {stored}");
        eventually(PATIENCE, "the agent to be back", || {
            let metrics = agent.metrics()?;
            let reconnects = metrics::sum(&metrics, RECONNECTS, &[]);
            ensure!(reconnects == outage as f64, "{reconnects} reconnects");
            Ok(())
        })?;
        tally += finish_client(running)?;
        assert_eq!(tally.connections, outage * plan.connections);
    }
    pods.expect(&reader, PORT, &Counts::finished(&tally))?;
    backed_off(&agent)
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
