//! An agent that is killed again and again under load: what it counted is pinned in the kernel, so nothing is lost, and nothing is
//! reported twice.

use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::pins::BpfFs;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, http};
use insight_tests::traffic::{Held, at, finish_client, run_client, serve, start_client};
use insight_tests::wait::{PATIENCE, eventually, pause};
use insight_tests::world::{NODE, Pods, Product};
use rustix::process::Signal;
use serde_json::Value;

/// Two ports, because a client has 28,000 of its own for each.
const PORTS: [u16; 2] = [7001, 7002];
const PORT: u16 = PORTS[0];

/// How often the agent is killed.
const KILLS: u32 = 20;

#[test]
fn twenty_kills_under_load_lose_nothing_and_count_nothing_twice() -> Result<()> {
    Pods::exact(
        "twenty kills under load lose nothing and count nothing twice",
        kills_under_load,
    )
}

fn kills_under_load(pods: &Pods) -> Result<()> {
    let bpf = BpfFs::new()?;
    let mut product = pinned(pods, &bpf)?;
    let to = |port| at(pods.server.addresses.v4, port);
    let (mut serving, mut loads) = (Vec::new(), Vec::new());
    for port in PORTS {
        serving.push(serve(&pods.server, port)?);
        let mut plan = Plan::new(to(port), 16_000, 300, 1_500);
        plan.rate = 1_000.0;
        plan.concurrency = NonZeroUsize::new(2).context("two")?;
        loads.push(start_client(&pods.client, &plan)?);
    }
    let mut held = Held::open(&pods.client, to(PORT), 3, 1)?;
    let mut random = Random::now();
    for _ in 0..KILLS {
        pause(random.below(Duration::from_millis(1_000)));
        product.agent.daemon.kill()?;
        pause(random.below(Duration::from_millis(200)));
        held.exchange(700, 1_100)?;
        // Not waited for: it may be killed while it takes over.
        product.agent.daemon.start()?;
    }
    product.agent.daemon.wait_ready()?;
    let mut truths = Vec::new();
    for load in loads {
        truths.push(finish_client(load)?);
    }
    truths[0] += held.close()?;
    product.settle()?;
    for (port, truth) in PORTS.into_iter().zip(&truths) {
        product.expect(pods, port, &Counts::finished(truth))?;
    }
    Ok(())
}

#[test]
fn counting_goes_on_while_no_agent_runs() -> Result<()> {
    Pods::exact("counting goes on while no agent runs", no_agent)
}

fn no_agent(pods: &Pods) -> Result<()> {
    let bpf = BpfFs::new()?;
    let _serving = serve(&pods.server, PORT)?;
    let to = at(pods.server.addresses.v4, PORT);
    // Older than the counting: its baseline is kept over the restart.
    let mut held = Held::open(&pods.client, to, 2, 0)?;
    held.exchange(5_000, 7_000)?;
    let before = held.tally;
    let mut product = pinned(pods, &bpf)?;
    let plan = Plan::new(to, 20, 100, 200);
    let mut all = run_client(&pods.client, &plan)?;
    product.settle()?;
    product.agent.daemon.stop()?;

    all += run_client(&pods.client, &plan)?;
    held.exchange(300, 400)?;
    // The first start is without an aggregator: it has to wait for it before it knows what was reported.
    product.aggregator.daemon.stop()?;
    product.agent.restart()?;
    all += run_client(&pods.client, &plan)?;
    product.aggregator.restart()?;
    product.settle()?;
    let truth = held.close()?;
    let mut counts = Counts::finished(&all);
    counts.closed += truth.connections;
    counts.bytes_sent += truth.bytes_sent - before.bytes_sent;
    counts.bytes_received += truth.bytes_received - before.bytes_received;
    product.expect(pods, PORT, &counts)?;
    let status = status(&product.agent)?;
    let began = status["pinned"]["counting_since"]
        .as_u64()
        .context("since")?;
    let started = status["started_unix_ms"].as_u64().context("started")?;
    ensure!(began / 1_000_000 < started, "{status}");
    Ok(())
}

#[test]
fn a_batch_on_its_way_when_its_agent_is_killed_counts_once() -> Result<()> {
    Pods::exact(
        "a batch on its way when its agent is killed counts once",
        batch_on_its_way,
    )
}

fn batch_on_its_way(pods: &Pods) -> Result<()> {
    let bpf = BpfFs::new()?;
    let mut product = pinned(pods, &bpf)?;
    let _serving = serve(&pods.server, PORT)?;
    let plan = Plan::new(at(pods.server.addresses.v4, PORT), 20, 100, 200);
    let mut all = run_client(&pods.client, &plan)?;
    product.settle()?;

    // It never arrives: there is nobody.
    product.aggregator.daemon.stop()?;
    all += run_client(&pods.client, &plan)?;
    wait_for_unacked(&product.agent)?;
    product.agent.daemon.kill()?;
    product.aggregator.restart()?;
    product.agent.restart()?;
    product.settle()?;
    product.expect(pods, PORT, &Counts::finished(&all))?;

    // It has left, and is read after its agent is gone and the next one is there.
    product.aggregator.daemon.signal(Signal::STOP)?;
    all += run_client(&pods.client, &plan)?;
    wait_for_unacked(&product.agent)?;
    product.agent.daemon.kill()?;
    product.agent.daemon.start()?;
    pause(Duration::from_millis(700));
    product.aggregator.daemon.signal(Signal::CONT)?;
    product.agent.daemon.wait_ready()?;
    product.settle()?;
    product.expect(pods, PORT, &Counts::finished(&all))
}

fn wait_for_unacked(agent: &Agent) -> Result<()> {
    eventually(PATIENCE, "a batch that is not acknowledged", || {
        let status = status(agent)?;
        ensure!(status["aggregator"]["unacked_batches"] == 1, "{status}");
        Ok(())
    })?;
    // It has time to leave.
    pause(Duration::from_millis(100));
    Ok(())
}

fn status(agent: &Agent) -> Result<Value> {
    let text = http::get_ok(agent.http_port, "/status")?;
    Ok(serde_json::from_str(&text)?)
}

fn pinned(pods: &Pods, bpf: &BpfFs) -> Result<Product> {
    let aggregator = Aggregator::start()?;
    let agent = Agent::pinned(&aggregator, NODE, &pods.root, &bpf.folder())?;
    Product::of(aggregator, agent)
}

/// Chance enough for a test; xorshift64 (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = since.map_or(1, |since| since.subsec_nanos().into());
        eprintln!("seed {seed}");
        Self(seed | 1)
    }

    fn below(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        limit.mul_f64((self.0 % 1_000) as f64 / 1_000.0)
    }
}
