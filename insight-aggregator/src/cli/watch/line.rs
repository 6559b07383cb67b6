//! One line a changed edge, for pipes.

use std::collections::HashMap;
use std::fmt::Write as _;

use insight_proto::v1;

use crate::graph::render;

/// What edges' lines need of a graph: names of nodes, and who the edges' ends are.
pub(super) struct Names {
    nodes: HashMap<String, String>,
    edges: HashMap<String, (String, String, String)>,
}

impl Names {
    pub(super) fn of(graph: &v1::Graph) -> Self {
        let edges = graph.edges.iter();
        Self {
            nodes: render::names(graph),
            edges: edges
                .map(|edge| {
                    let port = match &*edge.protocol {
                        "" => "any".to_owned(),
                        protocol => format!("{protocol}/{}", edge.port),
                    };
                    (
                        edge.id.clone(),
                        (edge.client.clone(), edge.server.clone(), port),
                    )
                })
                .collect(),
        }
    }

    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.nodes.get(id).map_or(id, String::as_str)
    }

    fn line(&self, sign: char, id: &str) -> String {
        match self.edges.get(id) {
            Some((client, server, port)) => {
                format!(
                    "{sign} {id} {} -> {} {port}",
                    self.name(client),
                    self.name(server)
                )
            }
            None => format!("{sign} {id}"),
        }
    }
}

/// Lines for what a delta changes; `before` and `after` are the graphs around it.
pub(super) fn changes(delta: &v1::GraphDelta, before: &Names, after: &Names) -> String {
    let mut lines = String::new();
    let mut line = |text: String| {
        lines.push_str(&text);
        lines.push('\n');
    };
    for (sign, edges) in [('+', &delta.add_edges), ('~', &delta.update_edges)] {
        for edge in edges {
            line(after.line(sign, &edge.id) + &counts(edge));
        }
    }
    for id in &delta.remove_edges {
        line(before.line('-', id));
    }
    lines
}

/// Counts of one view: the server's where there is one.
fn counts(edge: &v1::Edge) -> String {
    let mut text = String::new();
    if let Some(view) = edge.server_view.as_ref().or(edge.client_view.as_ref()) {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            " opened={} active={} sent={} received={}",
            view.connections_opened, view.active, view.bytes_sent, view.bytes_received
        );
    }
    let failed = edge.client_view.as_ref().or(edge.server_view.as_ref());
    if let Some(view) = failed.filter(|view| view.connections_failed > 0) {
        let _ = write!(text, " failed={}", view.connections_failed);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, name: &str) -> v1::Node {
        v1::Node {
            id: id.into(),
            name: name.into(),
            ..v1::Node::default()
        }
    }

    #[test]
    fn ends_can_be_told_apart_and_stay_in_their_line() {
        let mut graph = v1::Graph {
            nodes: vec![node("pod:1", "pod 0000…"), node("pod:2", "pod 0000…")],
            edges: vec![v1::Edge {
                id: "1".into(),
                client: "pod:1".into(),
                server: "pod:2".into(),
                protocol: "tcp".into(),
                port: 80,
                ..v1::Edge::default()
            }],
            ..v1::Graph::default()
        };
        let line = |graph: &v1::Graph| Names::of(graph).line('+', "1");
        assert_eq!(line(&graph), "+ 1 pod:1 -> pod:2 tcp/80");
        graph.nodes = vec![node("pod:1", "a\n\u{1b}[2J"), node("pod:2", "b")];
        assert_eq!(line(&graph), "+ 1 a\\n\\u{1b}[2J -> b tcp/80");
    }

    #[test]
    fn lines_say_who_calls_whom() {
        let edge = |id: &str, opened| v1::Edge {
            id: id.into(),
            client: "c".into(),
            server: "s".into(),
            protocol: "tcp".into(),
            port: 80,
            client_view: Some(v1::EdgeView {
                connections_opened: opened,
                connections_failed: 2,
                ..v1::EdgeView::default()
            }),
            ..v1::Edge::default()
        };
        let before = v1::Graph {
            nodes: vec![node("c", "web"), node("s", "db")],
            edges: vec![edge("1", 1), edge("2", 1)],
            ..v1::Graph::default()
        };
        let after = v1::Graph {
            edges: vec![edge("2", 5), edge("3", 1)],
            ..before.clone()
        };
        let delta = v1::GraphDelta {
            add_edges: vec![edge("3", 1)],
            update_edges: vec![edge("2", 5)],
            remove_edges: vec!["1".into()],
            ..v1::GraphDelta::default()
        };
        assert_eq!(
            changes(&delta, &Names::of(&before), &Names::of(&after)),
            "+ 3 web -> db tcp/80 opened=1 active=0 sent=0 received=0 failed=2\n\
             ~ 2 web -> db tcp/80 opened=5 active=0 sent=0 received=0 failed=2\n\
             - 1 web -> db tcp/80\n"
        );
    }
}
