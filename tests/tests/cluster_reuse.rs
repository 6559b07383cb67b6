//! A pod's address that another workload gets: not a byte is booked to the wrong one, whichever side it was on.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::calls::{
    Booked, Calls, clock, minute_of, pause_into_next_minute, until_next_minute,
};
use insight_tests::cluster::{Cluster, Deployment, Load, Namespace, Node, Pod, Relay};
use insight_tests::needs_root;
use insight_tests::product::Agent;
use insight_tests::reader::edge::{Counts, Edge, from_json};
use insight_tests::reader::metrics::sum;
use insight_tests::reader::scrapes::Scrapes;
use insight_tests::wait::{PATIENCE, eventually, pause};

/// Ports of the test's servers that the witness watches.
const PORT: u16 = 7081;
/// How often each client calls.
const EVERY_MS: u64 = 50;

/// What tells a holder of the address: bytes that nobody else sends. Each fits in a segment, so that it is counted whole or not at all.
struct Holder {
    name: &'static str,
    /// Of each of its replies
    replies: u64,
    /// Of each of its requests
    asks: u64,
}

const OLD: Holder = Holder {
    name: "old",
    replies: 1000,
    asks: 100,
};
const NEW: Holder = Holder {
    name: "new",
    replies: 1301,
    asks: 301,
};
/// Connections that a view may have half of: those that were open when a part of the time began or ended in which the address was one holder's.
const EDGES: u64 = 2;
/// Bytes of a request to whoever has the address.
const REQUEST: u64 = 200;
/// Bytes of a reply of the pod that stays.
const REPLY: u64 = 700;

impl Holder {
    /// One pod, which serves and calls.
    fn deploy(
        &self,
        pods: &Namespace,
        node: &Node,
        to: SocketAddr,
        lasts: Option<Duration>,
    ) -> Result<()> {
        let mut call = Load::call(to, self.asks, EVERY_MS);
        if let Some(lasts) = lasts {
            call.args += &format!(" --for-ms {}", lasts.as_millis());
        }
        Deployment {
            name: self.name,
            node: Some(node),
            replicas: 1,
            loads: &[Load::serve(PORT, self.replies), call],
        }
        .apply(pods)
    }

    fn id(&self, pods: &Namespace) -> String {
        format!("deployment:{}/{}", pods.name, self.name)
    }
}

fn v4(pod: &Pod) -> Result<Ipv4Addr> {
    match pod.addresses.first() {
        Some(IpAddr::V4(address)) => Ok(*address),
        other => anyhow::bail!("no IPv4 but {other:?}"),
    }
}

/// Gives the address to the new workload's pod: another pod of the node may be quicker, then its pod is made anew.
fn hand_over(
    pods: &Namespace,
    node: &Node,
    address: Ipv4Addr,
    deploy: impl Fn() -> Result<()>,
) -> Result<Pod> {
    for _ in 0..5 {
        node.offer(address)?;
        deploy()?;
        let pod = pods.only_pod_with("app=new")?;
        if v4(&pod)? == address {
            return Ok(pod);
        }
        pods.kubectl(&["delete", "deployment", "new", "--cascade=foreground"])?;
    }
    anyhow::bail!("{address} goes to others")
}

/// `away`: the aggregator does not hear of it while the address changes hands.
fn round(cluster: &Cluster, away: bool) -> Result<()> {
    let pods = Namespace::new(cluster)?;
    let relay = Relay::new(cluster)?;
    let kubeconfig = relay.kubeconfig();
    let kubeconfig = kubeconfig.to_str().context("a path is text")?;
    let aggregator = cluster.aggregator(&["--kubernetes", kubeconfig])?;
    let agents = cluster.agents(&aggregator)?;
    let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]];
    Load::image()?;
    let stays = [Load::serve(PORT, REPLY)];
    let stays = Deployment {
        name: "stays",
        node: Some(far),
        replicas: 1,
        loads: &stays,
    };
    stays.apply(&pods)?;
    let stays = pods.only_pod_with("app=stays")?;
    let to = SocketAddr::from((v4(&stays)?, PORT));
    OLD.deploy(&pods, near, to, None)?;
    pods.rolled_out("old")?;
    let old = pods.only_pod_with("app=old")?;
    let address = v4(&old)?;
    let call = format!("call --to {address}:{PORT} --send {REQUEST} --every-ms {EVERY_MS}");
    let mut calls = Calls::of(pods.load_in(&stays, "serve", &call)?);
    let scrapes = Scrapes::start(aggregator.http_port);

    // Enough calls for sure, wherever the minute ends.
    pause(Duration::from_secs(5));
    // Each has traffic before and after the end of a minute, in which counts are kept together.
    pause_into_next_minute(Duration::from_secs(6));
    // What was counted is reported within a second.
    let of_old = minute_of(clock()) - 2000;
    if away {
        relay.cut();
    }
    pods.kubectl(&["delete", "deployment", "old", "--cascade=foreground"])?;
    let new = hand_over(&pods, near, address, || {
        let lasts = until_next_minute(Duration::from_secs(5));
        NEW.deploy(&pods, near, to, Some(lasts))
    })?;
    pause_into_next_minute(Duration::from_secs(8));
    calls.end()?;
    agents.iter().try_for_each(Agent::settle)?;
    let truth = Truth {
        all: calls.all(),
        of_old: calls.between(0, of_old).with_reply(OLD.replies),
        of_new: calls
            .between(minute_of(clock()), u64::MAX)
            .with_reply(NEW.replies),
        served: served(&pods, &stays)?,
    };
    eprintln!(
        "{address} was of {} and is of {}: {truth:?}",
        old.uid, new.uid
    );

    let reader = aggregator.reader()?;
    let ends = [&OLD, &NEW].map(|holder| holder.id(&pods));
    let stays = format!("deployment:{}/stays", pods.name);
    let edges = || -> Result<Vec<Edge>> {
        let edges = from_json(&reader.graph("level=workload")?)?;
        Ok(edges.into_iter().filter(|edge| edge.port == PORT).collect())
    };
    if away {
        let unheard = [ends[0].clone(), format!("pod:{}", new.uid)];
        let edges = edges()?;
        ensure!(
            edges
                .iter()
                .all(|edge| ![&edge.client, &edge.server].contains(&&ends[1])),
            "nobody has told of it: {edges:#?}"
        );
        truth
            .nothing_wrong(&edges, &stays, &unheard)
            .with_context(|| format!("while nobody heard: {edges:#?}"))?;
        relay.mend()?;
    }
    eventually(PATIENCE, "the graph to be right", || {
        let edges = edges()?;
        truth
            .check(&edges, &stays, &ends, address)
            .with_context(|| format!("{edges:#?}"))
    })?;
    let scraped = scrapes.end()?;
    truth.check_series(&scraped, &pods.name, away)
}

/// The connections that the pod which stays has served, by the bytes of their request.
fn served(pods: &Namespace, stays: &Pod) -> Result<BTreeMap<u64, u64>> {
    let log = pods.kubectl(&["logs", &stays.name, "-c", "serve"])?;
    let mut served = BTreeMap::new();
    for line in log.lines().skip(1) {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let received = line["received"].as_u64().context("received")?;
        *served.entry(received).or_default() += 1;
    }
    Ok(served)
}

/// What the programs themselves have counted.
#[derive(Debug)]
struct Truth {
    /// The calls to the address.
    all: Booked,
    /// Those that the old holder answered before the minute of the change.
    of_old: u64,
    /// Those that the new one answered after it.
    of_new: u64,
    /// Those to the pod that stays, by the bytes of their request.
    served: BTreeMap<u64, u64>,
}

impl Truth {
    /// Whoever has an edge has nothing of what another one did.
    fn nothing_wrong(&self, edges: &[Edge], stays: &str, ends: &[String; 2]) -> Result<()> {
        let broken = self.all.broken;
        for (holder, end) in [&OLD, &NEW].into_iter().zip(ends) {
            let called = self.all.with_reply(holder.replies);
            let asked = self.served.get(&holder.asks).copied().unwrap_or(0);
            for edge in edges {
                let (connections, bytes) = match (edge.client == *end, edge.server == *end) {
                    (false, true) if edge.client == stays => (called, [REQUEST, holder.replies]),
                    (true, false) if edge.server == stays => (asked, [holder.asks, REPLY]),
                    _ => continue,
                };
                for view in [edge.client_view, edge.server_view].into_iter().flatten() {
                    at_most(&view, connections, broken + 1, bytes)
                        .with_context(|| format!("{end}: {edge:?}"))?;
                }
            }
        }
        Ok(())
    }

    fn check(
        &self,
        edges: &[Edge],
        stays: &str,
        ends: &[String; 2],
        address: Ipv4Addr,
    ) -> Result<()> {
        let of = |client: &str, server: &str| {
            edges
                .iter()
                .find(|edge| edge.client == client && edge.server == server)
        };
        // Nobody else has anything, but for who cannot be told.
        let unknown = [
            format!("external:{address}"),
            format!("ambiguous:{address}:{PORT}"),
            format!("ambiguous:{address}"),
        ];
        for edge in edges {
            let end = if edge.client == stays {
                &edge.server
            } else {
                &edge.client
            };
            ensure!(
                ends.contains(end) || unknown.contains(end),
                "a stranger: {end}"
            );
            ensure!(
                edge.client == stays || edge.server == stays,
                "a stranger: {edge:?}"
            );
        }
        let broken = self.all.broken;
        for (holder, end) in [&OLD, &NEW].into_iter().zip(ends) {
            let slack = if holder.name == OLD.name { broken } else { 0 };
            let called = self.all.with_reply(holder.replies);
            let edge = of(stays, end).with_context(|| format!("no edge to {end}"))?;
            let server = edge
                .server_view
                .with_context(|| format!("{end} saw nothing"))?;
            exact(&server, called, slack, [REQUEST, holder.replies])
                .context("the holder as a server")?;
            if let Some(client) = edge.client_view {
                at_most(&client, called, slack, [REQUEST, holder.replies]).context("its client")?;
            }
            let asked = self.served.get(&holder.asks).copied().unwrap_or(0);
            let edge = of(end, stays).with_context(|| format!("no edge from {end}"))?;
            let client = edge
                .client_view
                .with_context(|| format!("{end} saw nothing"))?;
            exact(&client, asked, slack + 1, [holder.asks, REPLY])
                .context("the holder as a client")?;
            if let Some(server) = edge.server_view {
                at_most(&server, asked, slack + 1, [holder.asks, REPLY]).context("its server")?;
            }
        }
        // What is certain is told: the minutes before the one of the change, and those after it.
        let certain = |end: &str, at_least: u64| {
            let client = of(stays, end)
                .and_then(|edge| edge.client_view)
                .unwrap_or_default();
            ensure!(
                at_least > 20 && client.opened >= at_least,
                "{end}: {client:?} of {at_least}"
            );
            Ok(())
        };
        certain(&ends[0], self.of_old)?;
        certain(&ends[1], self.of_new)
    }

    /// Prometheus' series: what was added once stays, so names must not be wrong for a moment.
    fn check_series(&self, text: &str, namespace: &str, away: bool) -> Result<()> {
        for holder in [&OLD, &NEW] {
            let series = |client: &str, server: &str| {
                let labels = [
                    format!("client=\"{client}\""),
                    format!("server=\"{server}\""),
                    format!("client_namespace=\"{namespace}\""),
                    format!("port=\"{PORT}\""),
                ];
                let number = |name: &str, more: &str| {
                    let mut labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                    labels.push(more);
                    sum(text, name, &labels) as u64
                };
                Counts {
                    opened: number("insight_edge_connections_total", ""),
                    bytes_sent: number("insight_edge_bytes_total", "direction=\"sent\""),
                    bytes_received: number("insight_edge_bytes_total", "direction=\"received\""),
                    ..Counts::default()
                }
            };
            let slack = self.all.broken;
            let called = self.all.with_reply(holder.replies);
            let view = series("stays", holder.name);
            if away {
                // Whom nobody has told of has no name: the pod's series has its calls.
                at_most(&view, called, slack, [REQUEST, holder.replies])?;
            } else {
                exact(&view, called, slack, [REQUEST, holder.replies])?;
            }
            let asked = self.served.get(&holder.asks).copied().unwrap_or(0);
            // The server told of its first calls before anybody knew whose the address is now: they were the address's own series, which ends.
            let view = series(holder.name, "stays");
            at_most(&view, asked, slack + 1, [holder.asks, REPLY])?;
            ensure!(away || view.opened * 2 > asked, "{view:?} of {asked}");
            eprintln!("{}: {} of {asked} calls by name", holder.name, view.opened);
        }
        Ok(())
    }
}

/// A view shows all of these connections, and of at most `broken` more what nobody knows; each has so many bytes.
fn exact(view: &Counts, connections: u64, broken: u64, bytes: [u64; 2]) -> Result<()> {
    ensure!(view.opened >= connections, "{view:?} of {connections}");
    at_most(view, connections, broken, bytes)
}

/// A view shows nothing but these connections: each with its own bytes, which no other's has.
fn at_most(view: &Counts, connections: u64, broken: u64, [sent, received]: [u64; 2]) -> Result<()> {
    let most = connections + broken;
    let fits = |bytes: u64, each: u64| {
        (broken > 0 || bytes.is_multiple_of(each))
            && (bytes / each).abs_diff(view.opened) <= EDGES + broken
    };
    ensure!(
        view.opened <= most && fits(view.bytes_sent, sent) && fits(view.bytes_received, received),
        "{view:?} of {connections} with {sent} and {received} bytes each, and {broken} broken"
    );
    Ok(())
}

/// They have the same ports, and want the next address of the same node.
fn in_turn(away: bool) -> Result<()> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    Cluster::in_clear_view(|cluster| round(cluster, away))
}

#[test]
fn no_byte_is_booked_to_the_wrong_one() -> Result<()> {
    needs_root!("no byte is booked to the wrong one");
    in_turn(false)
}

#[test]
fn nor_while_nobody_tells_whose_the_address_is() -> Result<()> {
    needs_root!("nor while nobody tells whose the address is");
    in_turn(true)
}
