//! What differs between two times, for the terminal.

use insight_proto::v1;

use super::words::{Cast, bytes, one_line, port, time};

/// Lines, one a difference: `+` came, `-` went, `~` changed; `?+` and `?-` are what one of the times could not tell. The gaps are below.
pub fn diff(diff: &v1::GraphDiff) -> String {
    let cast = Cast::of(&v1::Graph {
        nodes: diff.nodes.clone(),
        ..v1::Graph::default()
    });
    let mut text = String::new();
    for (name, side) in [("before", &diff.before), ("after", &diff.after)] {
        let side = side.as_ref();
        let from = time(side.and_then(|side| side.from.as_ref()));
        let to = time(side.and_then(|side| side.to.as_ref()));
        text.push_str(&format!("{name:<7} {from} to {to}\n"));
    }
    text.push('\n');
    let mut edges: Vec<(String, &str, String)> = Vec::new();
    for (sign, list) in [
        ("+", &diff.added_edges),
        ("-", &diff.removed_edges),
        ("?+", &diff.perhaps_added_edges),
        ("?-", &diff.perhaps_removed_edges),
    ] {
        edges.extend(
            list.iter()
                .map(|edge| (named(edge, &cast), sign, had(edge))),
        );
    }
    edges.extend(diff.changed_edges.iter().filter_map(|change| {
        let changes: Vec<String> = change.counters.iter().map(changed).collect();
        let mut what = changes.join(", ");
        if change.uncertain {
            what.push_str(" (not wholly seen)");
        }
        Some((named(change.after.as_ref()?, &cast), "~", what))
    }));
    edges.sort();
    let width = edges.iter().map(|(name, ..)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    for (name, sign, what) in &edges {
        text.push_str(&format!("{sign:>2} {name:<width$}  {what}\n"));
    }
    for (sign, list) in [
        ("+", &diff.added_nodes),
        ("-", &diff.removed_nodes),
        ("?+", &diff.perhaps_added_nodes),
        ("?-", &diff.perhaps_removed_nodes),
    ] {
        for node in list {
            text.push_str(&format!("{sign:>2} {}\n", who(node)));
        }
    }
    for change in &diff.changed_nodes {
        let node = change.after.as_ref().map(who).unwrap_or_default();
        text.push_str(&format!(" ~ {node}: {}\n", change.fields.join(", ")));
    }
    text.push_str(&format!("\n{} edges differ", edges.len()));
    if diff.left_out_edges > 0 {
        text.push_str(&format!(", {} more are smaller", diff.left_out_edges));
    }
    text.push_str(&format!(
        "; {} have not changed beyond the thresholds\n",
        diff.unchanged_edges
    ));
    for (name, side) in [("before", &diff.before), ("after", &diff.after)] {
        for gap in side.iter().flat_map(|side| &side.gaps) {
            let node = match gap.node.as_str() {
                "" => "all nodes",
                node => node,
            };
            let line = format!("not seen {name}: {node}: {}: {}", gap.reason, gap.detail);
            text.push_str(&one_line(&line));
            text.push('\n');
        }
    }
    text
}

fn named(edge: &v1::Edge, cast: &Cast) -> String {
    let (client, server) = (cast.name(&edge.client), cast.name(&edge.server));
    one_line(&format!("{client} -> {server} {}", port(edge)))
}

fn who(node: &v1::Node) -> String {
    one_line(&format!("{} {}", node.kind, super::full_name(node)))
}

/// What it is about, by the view that counted more.
fn had(edge: &v1::Edge) -> String {
    let views = || [&edge.client_view, &edge.server_view].into_iter().flatten();
    let most = |count: fn(&v1::EdgeView) -> u64| views().map(count).max().unwrap_or_default();
    let moved = most(|view| view.bytes_sent.saturating_add(view.bytes_received));
    let mut text = format!(
        "{} connections, {}",
        most(|view| view.connections_opened),
        bytes(moved)
    );
    let failed = most(|view| view.connections_failed);
    if failed > 0 {
        text.push_str(&format!(", {failed} failed"));
    }
    text
}

fn changed(change: &v1::CounterChange) -> String {
    let count = |count: u64| match change.counter.as_str() {
        "bytes" => bytes(count),
        "rtt" => format!("{count} µs"),
        _ => count.to_string(),
    };
    let rate = |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!(" ({rate:.1}/s)"));
    format!(
        "{} {}{} -> {}{}",
        change.counter,
        count(change.before),
        rate(change.before_per_second),
        count(change.after),
        rate(change.after_per_second),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_a_line() {
        let edge = |client: &str, port| v1::Edge {
            id: format!("{client}{port}"),
            client: client.to_owned(),
            server: "unit:n1/db".to_owned(),
            protocol: "tcp".to_owned(),
            port,
            client_view: Some(v1::EdgeView {
                connections_opened: 3,
                bytes_sent: 2_048,
                connections_failed: 1,
                ..v1::EdgeView::default()
            }),
            ..v1::Edge::default()
        };
        let node = |id: &str, name: &str| v1::Node {
            id: id.to_owned(),
            kind: "unit".to_owned(),
            name: name.to_owned(),
            ..v1::Node::default()
        };
        let side = |seconds| {
            Some(v1::graph_diff::Side {
                from: Some(prost_types::Timestamp { seconds, nanos: 0 }),
                to: Some(prost_types::Timestamp {
                    seconds: seconds + 60,
                    nanos: 0,
                }),
                ..v1::graph_diff::Side::default()
            })
        };
        let mut compared = v1::GraphDiff {
            before: side(0),
            after: side(3_600),
            added_edges: vec![edge("unit:n1/a", 5432)],
            perhaps_removed_edges: vec![edge("unit:n1/a", 80)],
            changed_edges: vec![v1::EdgeChange {
                after: Some(edge("unit:n1/a", 6379)),
                counters: vec![v1::CounterChange {
                    counter: "bytes".to_owned(),
                    before: 600,
                    after: 6_144,
                    before_per_second: Some(10.0),
                    after_per_second: Some(102.4),
                }],
                uncertain: true,
                ..v1::EdgeChange::default()
            }],
            removed_nodes: vec![node("unit:n1/old", "old\u{1b}[2J")],
            nodes: vec![node("unit:n1/a", "a"), node("unit:n1/db", "db")],
            unchanged_edges: 7,
            ..v1::GraphDiff::default()
        };
        if let Some(after) = &mut compared.after {
            after.gaps = vec![v1::Gap {
                reason: "no_agent".to_owned(),
                detail: "nobody".to_owned(),
                ..v1::Gap::default()
            }];
        }
        let text = diff(&compared);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        for expected in [
            " + a -> db 5432/tcp  3 connections, 2.0 KiB, 1 failed",
            "?- a -> db 80/tcp    3 connections, 2.0 KiB, 1 failed",
            " ~ a -> db 6379/tcp  bytes 600 B (10.0/s) -> 6.0 KiB (102.4/s) (not wholly seen)",
            "3 edges differ; 7 have not changed beyond the thresholds",
            "not seen after: all nodes: no_agent: nobody",
        ] {
            assert!(lines.contains(&expected), "{expected:?} is not in {text}");
        }
        assert!(!text.contains('\u{1b}'), "a name moves the cursor");
    }
}
