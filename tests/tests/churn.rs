//! A byte is counted once, whatever the readout meets.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use insight_tests::churn;
use insight_tests::ftrace::{Change, Trace};
use insight_tests::load::client::Plan;
use insight_tests::load::tally::Tally;
use insight_tests::moment::{self, Turnover, Turnovers};
use insight_tests::product::Aggregator;
use insight_tests::reader::{Counts, Edge, Reader, edge};
use insight_tests::root::skip;
use insight_tests::traffic::{Held, at, run_client, serve};
use insight_tests::wait::pause;
use insight_tests::world::{Pods, Product};

const BASE: u16 = 7000;

/// Looks at the graph again and again: no total may ever go back.
#[derive(Default)]
struct Watch {
    last: BTreeMap<String, Edge>,
    looks: u64,
}

impl Watch {
    fn look(&mut self, reader: &Reader) -> Result<()> {
        for now in edge::from_json(&reader.graph("level=container")?)? {
            if let Some(before) = self.last.get(&now.id) {
                let views = [
                    (before.client_view, now.client_view),
                    (before.server_view, now.server_view),
                ];
                for (before, now) in views {
                    let (before, now) = (before.unwrap_or_default(), now.unwrap_or_default());
                    ensure!(now.at_least(&before), "{before:?} went back to {now:?}");
                }
            }
            self.last.insert(now.id.clone(), now);
        }
        self.looks += 1;
        Ok(())
    }
}

#[test]
fn a_byte_is_counted_once_whatever_the_readout_meets() -> Result<()> {
    let promise = "a byte is counted once, whatever the readout meets";
    Pods::exact(promise, |pods| {
        let product = Product::watch(&pods.root, "100ms")?;
        let mut watch = Watch::default();
        let done = churn::run(pods, BASE, Duration::from_secs(6), || {
            watch.look(&product.reader)
        })?;
        ensure!(watch.looks >= 10, "looked {} times only", watch.looks);
        product.settle()?;
        for (port, truth) in &done.truth {
            product
                .expect(pods, *port, &Counts::finished(truth))
                .with_context(|| format!("port {port}"))?;
            watch.look(&product.reader)?;
        }
        Ok(())
    })
}

/// Bytes of each request and of each reply where connections are all alike: bytes are then connections times this.
const ALIKE: u64 = 1_000;

const AMID_CHURN: &str = "an agent that starts amid churn is exact from then on";

/// Connections at the same time.
const WORKERS: usize = 4;

/// Room to trace a flow until the agent is there, KiB for each CPU: 65,000 changes, at four a connection.
const ROOM: u32 = 8 * 1024;

/// Short connections, one request each, until told otherwise.
fn alike(pods: &Pods, port: u16, done: impl Fn() -> bool) -> Result<Tally> {
    let mut plan = Plan::new(at(pods.server.addresses.v4, port), 1_000, ALIKE, ALIKE);
    plan.concurrency = NonZeroUsize::new(WORKERS).context("workers")?;
    let mut sum = Tally::default();
    while !done() {
        sum += run_client(&pods.client, &plan)?;
    }
    Ok(sum)
}

/// Checks a flow of such connections that ran already when the agent began to count.
///
/// There was one moment at which the agent began; `changes` are all changes of this flow from its beginning to after that moment. What
/// a view lacks of all connections is what had been opened and closed then, at its end. A connection that was open at that moment,
/// so that only its close is counted, adds none of its bytes, all of them, or those from its baseline on; every other one
/// that is counted is counted whole.
fn from_one_moment_on(edge: &Edge, truth: &Tally, changes: Option<&[Change]>) -> Result<()> {
    let mut happened = Turnovers::default();
    for (end, counts) in happened
        .iter_mut()
        .zip([edge.client_view, edge.server_view])
    {
        let counts = counts.with_context(|| format!("a view is missing: {edge:?}"))?;
        ensure!(
            counts.active == 0
                && (1..=counts.closed).contains(&counts.opened)
                && counts.closed < truth.connections,
            "{counts:?} of {truth:?}"
        );
        for bytes in [counts.bytes_sent, counts.bytes_received] {
            ensure!(
                (counts.opened * ALIKE..=counts.closed * ALIKE).contains(&bytes),
                "{counts:?}"
            );
        }
        *end = Turnover {
            opened: truth.connections - counts.opened,
            closed: truth.connections - counts.closed,
        };
    }
    changes.map_or(Ok(()), |changes| {
        moment::expect(changes, edge.port, &happened)
    })
}

#[test]
fn an_agent_that_starts_amid_churn_is_exact_from_then_on() -> Result<()> {
    Pods::exact(AMID_CHURN, amid_churn)
}

fn amid_churn(pods: &Pods) -> Result<()> {
    let (old, new) = (BASE, BASE + 1);
    let trace = Trace::start(&(old..old + 1), None, ROOM);
    if let Err(error) = &trace {
        skip(AMID_CHURN, &format!("its first moment only: {error:#}"));
    }
    let _serving = [serve(&pods.server, old)?, serve(&pods.server, new)?];
    // Open all the while: these are what a careless baseline counts twice.
    let to = at(pods.server.addresses.v4, new);
    let mut held = Held::open(&pods.client, to, 5, 2)?;
    held.exchange(60_000, 90_000)?;
    let before = held.tally;
    let aggregator = Aggregator::start()?;

    let stop = AtomicBool::new(false);
    let (product, churned, opened_later) = thread::scope(|scope| {
        let churn = scope.spawn(|| alike(pods, old, || stop.load(Ordering::Relaxed)));
        let ready = (|| {
            // The churn goes before the agent, and does not wait for it.
            pause(Duration::from_millis(200));
            let product = Product::report_to(aggregator, &pods.root, "100ms")?;
            if let Ok(trace) = &trace {
                trace.stop()?;
            }
            held.exchange(700, 1_100)?;
            let until = Instant::now() + Duration::from_secs(3);
            let opened_later = alike(pods, new, || Instant::now() >= until)?;
            anyhow::Ok((product, opened_later))
        })();
        stop.store(true, Ordering::Relaxed);
        let churned = churn.join().map_err(|_| anyhow!("the churn panicked"))??;
        let (product, opened_later) = ready?;
        anyhow::Ok((product, churned, opened_later))
    })?;

    let truth = held.close()?;
    let mut counts = Counts::finished(&opened_later);
    counts.closed += truth.connections;
    counts.bytes_sent += truth.bytes_sent - before.bytes_sent;
    counts.bytes_received += truth.bytes_received - before.bytes_received;
    product.expect(pods, new, &counts)?;

    let changes = trace.ok().map(|trace| trace.changes()).transpose()?;
    let rested = || {
        let edge = pods.edge(&product.reader, old)?;
        from_one_moment_on(&edge, &churned, changes.as_deref())
    };
    pods.eventually("the older flow to rest", rested)?;
    product.settle()?;
    rested()
}
