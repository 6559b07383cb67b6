//! The cases. Those in one scene share pods, agent and aggregator, and have ports of their own.

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;

use anyhow::{Context, Result, ensure};

use super::kernel::Kernel;
use crate::balancer::Balancer;
use crate::load::client::{Ending, Plan};
use crate::load::tally::Tally;
use crate::pod::{Container, Pod};
use crate::process::Process;
use crate::reader::{Counts, edge};
use crate::traffic::{Held, at, fail, finish_client, run_client, serve, serve_in, start_client_in};
use crate::wait::{PATIENCE, eventually};
use crate::world::{Pods, Product};
use crate::{containers, oom, waits};

const INTERVAL: &str = "300ms";

const OLDER: u16 = 7001;
const OPEN: u16 = 7002;
const V4: u16 = 7003;
const V6: u16 = 7004;
const MAPPED: u16 = 7005;
const RESET: u16 = 7006;
const SHUT: u16 = 7007;
const LOOPBACK: u16 = 7008;
const BURST: u16 = 7009;

/// So many that a program which interrupts itself, or is interrupted, shows.
const MANY: u64 = 2_000;

/// What the cases share.
///
/// Fields are dropped from the first to the last, so what stands on something else comes before it.
pub(super) struct Scene {
    /// Opened before the agent started.
    older: Option<Held>,
    servers: Vec<Process>,
    product: Product,
    pods: Pods,
}

impl Scene {
    pub(super) fn new() -> Result<Self> {
        let pods = Pods::new()?;
        let servers = vec![serve(&pods.server, OLDER)?];
        let mut older = Held::open(&pods.client, at(pods.server.addresses.v4, OLDER), 3, 0)?;
        older.exchange(10_000, 20_000)?;
        Ok(Self {
            older: Some(older),
            servers,
            product: Product::watch(&pods.root, INTERVAL)?,
            pods,
        })
    }

    fn serve(&mut self, port: u16) -> Result<()> {
        self.servers.push(serve(&self.pods.server, port)?);
        Ok(())
    }

    fn expect(&self, port: u16, counts: &Counts) -> Result<()> {
        self.product
            .expect(&self.pods, port, counts)
            .with_context(|| format!("port {port}"))
    }
}

type Case = fn(&Kernel, &mut Scene) -> Result<()>;

/// Cases in one scene, in this order.
pub(super) const IN_ONE_SCENE: [(&str, Case); 6] = [
    (
        "connections and payload are exact over IPv4 and IPv6",
        exact,
    ),
    ("a burst of connections is exact", burst),
    ("a refused connect is counted as such", refused),
    ("an open connection shows", stays_open),
    (
        "a connection older than the agent counts from now on",
        older,
    ),
    ("loopback stays in its pod", loopback),
];

type Alone = fn() -> Result<()>;

/// Cases that make their own.
pub(super) const ALONE: [(&str, Alone); 5] = [
    (
        "a container's metrics equal its cgroup's files",
        containers::metrics_equal_the_files,
    ),
    (
        "waiting for a CPU is what the scheduler keeps",
        waits::equal_the_schedulers_sums,
    ),
    (
        "threads of short lives are counted whole",
        waits::short_lives_are_counted_whole,
    ),
    (
        "a process killed for want of memory is counted once",
        oom::counted_once_also_when_the_cgroup_is_gone,
    ),
    (
        "what was dialed is told where a load balancer rewrites it",
        dialed,
    ),
];

/// The balancer was there first and sits where the agent's programs do: the worst that there is on kernels that do not let them go first.
fn dialed() -> Result<()> {
    let pods = Pods::new()?;
    let service = at(Ipv4Addr::new(10, 96, 0, 1), 80);
    let backend = at(pods.server.addresses.v4, V4);
    let _balancer = Balancer::attach(pods.root.path(), service, backend)?;
    let product = Product::watch(&pods.root, INTERVAL)?;
    let _serving = serve(&pods.server, V4)?;
    let truth = run_client(&pods.client, &Plan::new(service, 10, 300, 700))?;
    product.expect(&pods, V4, &Counts::finished(&truth))?;
    let edge = pods.edge(&product.reader, V4)?;
    ensure!(edge.dialed == [service.to_string()], "{edge:?}");
    Ok(())
}

fn exact(_: &Kernel, scene: &mut Scene) -> Result<()> {
    let to = scene.pods.server.addresses;
    let addresses = [
        (to.v4.into(), V4, Ending::Close),
        (to.v6.into(), V6, Ending::HalfClose),
        (to.mapped(), MAPPED, Ending::Close),
        (to.v4.into(), RESET, Ending::Reset),
    ];
    let mut truths = Vec::new();
    for (index, (address, port, ending)) in (0..).zip(addresses) {
        scene.serve(port)?;
        let mut plan = Plan::new(
            at(address, port),
            100 + index,
            1_000 + index,
            30_001 + index,
        );
        plan.concurrency = NonZeroUsize::MIN.saturating_add(3);
        plan.requests = 2;
        plan.ending = ending;
        truths.push((port, run_client(&scene.pods.client, &plan)?));
    }
    for (port, truth) in truths {
        scene.expect(port, &Counts::finished(&truth))?;
    }
    Ok(())
}

fn burst(_: &Kernel, scene: &mut Scene) -> Result<()> {
    scene.serve(BURST)?;
    let mut plan = Plan::new(at(scene.pods.server.addresses.v4, BURST), MANY, 16, 16);
    plan.concurrency = NonZeroUsize::MIN.saturating_add(15);
    let truth = run_client(&scene.pods.client, &plan)?;
    scene.expect(BURST, &Counts::finished(&truth))
}

fn refused(_: &Kernel, scene: &mut Scene) -> Result<()> {
    let (pods, product) = (&scene.pods, &scene.product);
    fail(
        &pods.client,
        "refused",
        at(pods.server.addresses.v4, SHUT),
        3,
    )?;
    fail(
        &pods.client,
        "refused",
        at(pods.server.addresses.v6, SHUT),
        4,
    )?;
    let ends = (
        pods.client.container.node_id(),
        pods.server.container.node_id(),
    );
    let expected = Counts {
        failed: 7,
        ..Counts::default()
    };
    let check = || -> Result<()> {
        let edge = product.reader.edge("container", &ends.0, &ends.1, SHUT)?;
        ensure!(
            edge.client_view == Some(expected) && edge.server_view.is_none(),
            "{edge:?}"
        );
        Ok(())
    };
    eventually(PATIENCE, "the failures", check)?;
    product.settle()?;
    check()
}

/// Without a readout the bytes of an open connection are not known yet.
fn while_open(kernel: &Kernel, counts: Counts) -> Counts {
    if kernel.reads_live() {
        return counts;
    }
    Counts {
        bytes_sent: 0,
        bytes_received: 0,
        ..counts
    }
}

fn stays_open(kernel: &Kernel, scene: &mut Scene) -> Result<()> {
    scene.serve(OPEN)?;
    let to = at(scene.pods.server.addresses.v6, OPEN);
    let mut held = Held::open(&scene.pods.client, to, 5, 0)?;
    for (send, receive) in [(1_000_001, 77), (20, 300_003)] {
        held.exchange(send, receive)?;
        scene.expect(OPEN, &while_open(kernel, Counts::open(&held.tally)))?;
    }
    let graph = scene.product.reader.graph("")?;
    let gaps = graph["gaps"].as_array().context("gaps")?;
    let said = gaps.iter().any(|gap| gap["reason"] == "no_live_readout");
    ensure!(
        said != kernel.reads_live(),
        "the graph must say exactly where there is no readout: {gaps:?}"
    );
    let truth = held.close()?;
    scene.expect(OPEN, &Counts::finished(&truth))
}

fn older(kernel: &Kernel, scene: &mut Scene) -> Result<()> {
    let mut held = scene.older.take().context("it was taken")?;
    let before = held.tally;
    held.exchange(333, 44_444)?;
    let mut expected = Counts {
        active: held.tally.connections,
        ..Counts::default()
    };
    if kernel.reads_live() {
        expected.bytes_sent = held.tally.bytes_sent - before.bytes_sent;
        expected.bytes_received = held.tally.bytes_received - before.bytes_received;
        scene.expect(OLDER, &expected)?;
    } else {
        // Nothing tells of it before it closes, and then it brings all that it ever moved.
        expected.bytes_sent = held.tally.bytes_sent;
        expected.bytes_received = held.tally.bytes_received;
    }
    let truth = held.close()?;
    expected.active = 0;
    expected.closed = truth.connections;
    scene.expect(OLDER, &expected)
}

/// A container calls another one of its pod, at the same address and port in both pods: only the network namespace tells these apart.
fn loopback(_: &Kernel, scene: &mut Scene) -> Result<()> {
    let pods = &scene.pods;
    let mut truths = Vec::new();
    for (pod, connections) in [(&pods.client, 5), (&pods.server, 8)] {
        let callee = pod.add_container(&pods.root)?;
        scene.servers.push(serve_in(pod, &callee, LOOPBACK, &[])?);
        let truth = call_inward(pod, connections)?;
        truths.push((pod.container.node_id(), callee, truth));
    }
    let check = |(client, callee, truth): &(String, Container, Tally)| {
        let edges = edge::from_json(&scene.product.reader.graph("level=container")?)?;
        edge::find(&edges, client, &callee.node_id(), LOOPBACK)?
            .expect_both(&Counts::finished(truth))
    };
    for truth in &truths {
        eventually(PATIENCE, "an exact edge in each pod", || check(truth))?;
    }
    scene.product.settle()?;
    truths.iter().try_for_each(check)
}

fn call_inward(pod: &Pod, connections: u64) -> Result<Tally> {
    let to = at(Ipv4Addr::LOCALHOST, LOOPBACK);
    let plan = Plan::new(to, connections, 1_001, 20_003);
    finish_client(start_client_in(pod, &pod.container, &plan)?)
}
