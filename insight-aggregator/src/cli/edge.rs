//! `edge`: prints one edge in detail.

use std::fmt::Write as _;

use insight_proto::v1;
use insight_proto::v1::topology_service_client::TopologyServiceClient;
use tonic::transport::Channel;

use super::args::{EdgeArgs, EdgeFormat, PartArgs, question};
use super::connect::connect;
use super::edge_history;
use super::failure::Failure;
use super::graph::to_proto;
use super::output;
use crate::api::edge::{describe, only_edge, searched};
use crate::graph::render::{full_name, one_line};

pub(super) async fn run(args: EdgeArgs) -> Result<(), Failure> {
    if args.history {
        let (server, step) = (&args.server.server, args.step.as_deref());
        return edge_history::run(server, args.id, args.time, args.level, step, args.format).await;
    }
    let levels = match &args.level {
        Some(level) => vec![level.clone()],
        None => {
            let levels = searched().into_iter();
            levels.map(|level| level.as_str().to_owned()).collect()
        }
    };
    let query = to_proto(&question(Some(args.time), PartArgs::default()))?;
    let mut client = connect(&args.server.server).await?;
    for level in levels {
        let query = v1::GraphQuery {
            level,
            ..query.clone()
        };
        if let Some(graph) = find(&mut client, query, &args.id).await? {
            return output::print(&match args.format {
                EdgeFormat::Table => detail(&graph),
                EdgeFormat::Json => format!("{:#}\n", describe(&graph)),
            });
        }
    }
    Err(Failure::failed(
        format!("no edge {:?} in this time", args.id),
        "take an id from `insight-aggregator graph --format json` with the same --at, --from, --to and --level",
    ))
}

async fn find(
    client: &mut TopologyServiceClient<Channel>,
    query: v1::GraphQuery,
    id: &str,
) -> Result<Option<v1::Graph>, Failure> {
    let request = v1::GetGraphRequest { query: Some(query) };
    let graph = client
        .get_graph(request)
        .await
        .map_err(|status| Failure::answered(&status))?;
    Ok(only_edge(graph.into_inner(), id))
}

/// The edge of a graph that has one, for people.
fn detail(graph: &v1::Graph) -> String {
    let Some(edge) = graph.edges.first() else {
        return String::new();
    };
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<20} {}", one_line(&value));
    };
    line("edge", edge.id.clone());
    line("level", graph.level.clone());
    line("client", end(graph, &edge.client));
    line("server", end(graph, &edge.server));
    // What was summed up by `top` has neither.
    if !edge.protocol.is_empty() {
        line("port", format!("{}/{}", edge.protocol, edge.port));
    }
    if edge.role_unknown {
        line("roles", "not known: nobody saw who sent first".to_owned());
    }
    if !edge.dialed.is_empty() {
        line("dialed as", edge.dialed.join(", "));
    }
    if !edge.dialed_services.is_empty() {
        line("via", edge.dialed_services.join(", "));
    }
    let traits = [("loopback", edge.loopback), ("own", edge.own)];
    let traits = traits.iter().filter(|(_, is)| *is).map(|(name, _)| *name);
    let traits: Vec<&str> = traits.collect();
    if !traits.is_empty() {
        line("all of it is", traits.join(", "));
    }
    line("first seen", time(edge.first_seen.as_ref()));
    line("last seen", time(edge.last_seen.as_ref()));
    line("counted from", time(graph.from.as_ref()));
    line("counted to", time(graph.to.as_ref()));
    let _ = writeln!(text, "\n{:<20} {:>20} {:>20}", "", "by client", "by server");
    for (name, count) in COUNTS {
        let by = |view: &Option<v1::EdgeView>| {
            view.as_ref()
                .map_or_else(|| "not seen".to_owned(), |view| count(view).to_string())
        };
        let _ = writeln!(
            text,
            "{name:<20} {:>20} {:>20}",
            by(&edge.client_view),
            by(&edge.server_view)
        );
    }
    for (name, times) in TIMES {
        let by = |view: &Option<v1::EdgeView>| {
            let times = view.as_ref().and_then(times);
            times.map_or_else(
                || "unknown".to_owned(),
                |times| format!("{} < {}", micros(times.p50_us), micros(times.p99_us)),
            )
        };
        let _ = writeln!(
            text,
            "{name:<20} {:>20} {:>20}",
            by(&edge.client_view),
            by(&edge.server_view)
        );
    }
    for gap in &graph.gaps {
        let node = if gap.node.is_empty() {
            "all nodes"
        } else {
            &gap.node
        };
        let gap = format!("incomplete: {node}: {}: {}", gap.reason, gap.detail);
        let _ = writeln!(text, "\n{}", one_line(&gap));
    }
    text
}

/// Name of a count, and the count.
type Count = (&'static str, fn(&v1::EdgeView) -> u64);

const COUNTS: [Count; 16] = [
    ("connections opened", |view| view.connections_opened),
    ("connections closed", |view| view.connections_closed),
    ("connections active", |view| view.active),
    ("connections failed", |view| view.connections_failed),
    ("  refused", |view| failures(view).refused),
    ("  timed out", |view| failures(view).timed_out),
    ("  unreachable", |view| failures(view).unreachable),
    ("  other", |view| failures(view).other),
    ("bytes sent", |view| view.bytes_sent),
    ("bytes received", |view| view.bytes_received),
    ("datagrams sent", |view| view.messages_sent),
    ("datagrams received", |view| view.messages_received),
    ("retransmits", |view| view.retransmits),
    ("  of handshakes", |view| view.syn_retransmits),
    ("bytes sent again", |view| view.bytes_retransmitted),
    ("resets", |view| view.resets),
];

/// Name of some times, and the times.
type Kind = (&'static str, fn(&v1::EdgeView) -> Option<v1::Times>);

const TIMES: [Kind; 2] = [
    ("round trip p50 < p99", |view| view.rtt),
    ("connect    p50 < p99", |view| view.connect),
];

fn micros(us: u32) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", f64::from(us) / 1e3),
        _ => format!("{:.1} s", f64::from(us) / 1e6),
    }
}

fn failures(view: &v1::EdgeView) -> v1::Failures {
    view.failures.unwrap_or_default()
}

fn end(graph: &v1::Graph, id: &str) -> String {
    let Some(node) = graph.nodes.iter().find(|node| node.id == id) else {
        return id.to_owned();
    };
    let mut on = String::new();
    for (word, place) in [("on", &node.node), ("in", &node.zone)] {
        if !place.is_empty() {
            on.push_str(&format!(" {word} {place}"));
        }
    }
    format!("{} {}{on} ({id})", node.kind, full_name(node))
}

fn time(at: Option<&prost_types::Timestamp>) -> String {
    at.and_then(|at| jiff::Timestamp::new(at.seconds, at.nanos).ok())
        .map_or_else(|| "unknown".into(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_views_stand_side_by_side() {
        let graph = v1::Graph {
            level: "workload".into(),
            nodes: vec![v1::Node {
                id: "unit:n1/a.service".into(),
                kind: "unit".into(),
                name: "a.service".into(),
                node: "n1".into(),
                namespace: "shop".into(),
                zone: "z1".into(),
                ..v1::Node::default()
            }],
            edges: vec![v1::Edge {
                id: "00ff".into(),
                client: "unit:n1/a.service".into(),
                server: "external:192.0.2.1".into(),
                protocol: "tcp".into(),
                port: 443,
                dialed_services: vec!["shop/web:80".into()],
                client_view: Some(v1::EdgeView {
                    bytes_sent: 17,
                    ..v1::EdgeView::default()
                }),
                ..v1::Edge::default()
            }],
            ..v1::Graph::default()
        };
        let text = detail(&graph);
        assert!(
            text.contains("unit shop/a.service on n1 in z1 (unit:n1/a.service)"),
            "{text}"
        );
        assert!(text.contains("tcp/443"), "{text}");
        let via = text.lines().find(|line| line.starts_with("via "));
        assert!(via.unwrap().ends_with(" shop/web:80"), "{text}");
        let sent = text
            .lines()
            .find(|line| line.starts_with("bytes sent"))
            .unwrap();
        let words: Vec<&str> = sent.split_whitespace().collect();
        assert_eq!(words, ["bytes", "sent", "17", "not", "seen"]);

        let mut graph = graph;
        graph.nodes[0].name = "a\u{1b}[2J".into();
        assert!(
            !detail(&graph).contains('\u{1b}'),
            "a name moves the cursor"
        );
    }
}
