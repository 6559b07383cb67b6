//! Runs `insight-load`'s datagrams in pods, and reads what was counted of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench::bpf::{Statistics, runs_by_program};
use crate::load::tally::Tally;
use crate::load::udp::Plan;
use crate::pod::Pod;
use crate::process::Process;
use crate::product::{Agent, Aggregator};
use crate::traffic::{finish_client, load};
use crate::wait::PATIENCE;
use crate::world::{NODE, Pods, Product};

/// Starts an aggregator, and an agent with this mode of UDP.
pub fn watch(pods: &Pods, mode: &str) -> Result<Product> {
    let aggregator = Aggregator::start()?;
    let flags = ["--udp", mode];
    let agent = Agent::with_flags(&aggregator, NODE, &pods.root, "300ms", &flags)?;
    Product::of(aggregator, agent)
}

/// Starts a server in a pod, and waits until it listens. `flags` are those of `udp-server`.
pub fn serve(pod: &Pod, flags: &[&str]) -> Result<Process> {
    serve_as(pod, "udp-server", flags)
}

/// The same with another of the servers.
pub fn serve_as(pod: &Pod, mode: &str, flags: &[&str]) -> Result<Process> {
    let args = [&[mode], flags].concat();
    let mut process = pod.spawn(mode, load(args)?)?;
    process.line(PATIENCE)?;
    Ok(process)
}

/// Runs a client in a pod to its end.
pub fn run(pod: &Pod, plan: &Plan) -> Result<Tally> {
    finish_client(pod.spawn("udp-client", load(plan.to_args())?)?)
}

/// Datagrams and bytes of one view, client to server and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Conversations.
    pub opened: u64,
    /// Datagrams, client to server.
    pub messages_sent: u64,
    /// Datagrams, server to client.
    pub messages_received: u64,
    /// Bytes, client to server.
    pub bytes_sent: u64,
    /// Bytes, server to client.
    pub bytes_received: u64,
}

impl Counts {
    /// What requests with replies, or without, come to.
    pub fn of(tally: &Tally) -> Self {
        Self {
            opened: tally.connections,
            messages_sent: tally.requests,
            messages_received: if tally.bytes_received > 0 {
                tally.requests
            } else {
                0
            },
            bytes_sent: tally.bytes_sent,
            bytes_received: tally.bytes_received,
        }
    }

    /// Of an edge's view; `None` where there is none.
    pub fn read(view: &Value) -> Result<Option<Self>> {
        if view.is_null() {
            return Ok(None);
        }
        let count = |name: &str| {
            view[name]
                .as_u64()
                .with_context(|| format!("no {name} in {view}"))
        };
        Ok(Some(Self {
            opened: count("connections_opened")?,
            messages_sent: count("messages_sent")?,
            messages_received: count("messages_received")?,
            bytes_sent: count("bytes_sent")?,
            bytes_received: count("bytes_received")?,
        }))
    }
}

/// The only UDP edge of that port at workload level.
pub fn edge(product: &Product, port: u16) -> Result<Value> {
    let mut found = edges(product)?;
    found.retain(|edge| edge["port"] == port);
    ensure!(found.len() == 1, "UDP edges to {port}: {found:#?}");
    Ok(found.remove(0))
}

/// All UDP edges at workload level.
pub fn edges(product: &Product) -> Result<Vec<Value>> {
    let graph = product.reader.graph("level=workload")?;
    let edges = graph["edges"].as_array().context("edges")?;
    let is_udp = edges.iter().filter(|edge| edge["protocol"] == "udp");
    Ok(is_udp.cloned().collect())
}

/// Waits until there is one edge of that port, from the client to the server with both views so, and sees that it stays so.
pub fn expect(pods: &Pods, product: &Product, port: u16, counts: &Counts) -> Result<()> {
    let as_expected = || {
        let edge = edge(product, port)?;
        ensure!(
            edge["client"] == pods.client.node_id() && edge["server"] == pods.server.node_id(),
            "{edge}"
        );
        for view in ["client_view", "server_view"] {
            let found = Counts::read(&edge[view])?;
            ensure!(found == Some(*counts), "expected {counts:?}, found {edge}");
        }
        ensure!(edge["role_unknown"] == false, "{edge}");
        Ok(())
    };
    pods.eventually("the exact datagrams", as_expected)?;
    product.settle()?;
    as_expected()
}

/// How often an agent's programs of UDP ran while `traffic` did, by name.
pub fn runs_of_udp(
    agent: &Agent,
    traffic: impl FnOnce() -> Result<()>,
) -> Result<BTreeMap<String, u64>> {
    let pid = agent.daemon.pid()?;
    let _counting = Statistics::on()?;
    let before = runs_by_program(pid)?;
    traffic()?;
    let after = runs_by_program(pid)?;
    Ok(after
        .into_iter()
        .filter(|(name, _)| name.starts_with("udp_"))
        .map(|(name, runs)| {
            let before = before.get(&name).map_or(0, |runs| runs.count);
            (name, runs.count - before)
        })
        .collect())
}
