//! Edges as Prometheus series: few, and never going back.
//!
//! Edges with the same labels are one series. The ledger forgets rows that were idle for long, and an end that was only
//! seen by clients may later be seen by servers too; so a series grows by what was added since the last scrape, rather
//! than showing a sum that could shrink, which Prometheus would take for a restart.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use insight_proto::v1;

use super::text::{Kind, Text};

/// Groups of series with labels of their own; there are ten series in each. A scrape of 50,000 series is what a Prometheus
/// takes from one target without trouble (about 15 MB of text).
const MAX_GROUPS: usize = 5_000;
/// Counts of a series group.
const COUNTS: usize = 8;
/// In place of an index of counts: the gauge.
const ACTIVE: usize = COUNTS;
/// Label of what has no room.
const OTHER: &str = "other";

/// Labels of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Labels {
    client: String,
    server: String,
    client_kind: String,
    server_kind: String,
    client_namespace: String,
    server_namespace: String,
    port: String,
    protocol: String,
}

/// opened, refused, timed out, unreachable, other failure, sent, received, retransmits.
type Counts = [u64; COUNTS];

#[derive(Default)]
struct Group {
    counts: Counts,
    active: u64,
}

/// An edge at the last scrape.
struct Known {
    client: Option<Counts>,
    server: Option<Counts>,
    /// Its group; none if it is in `other`.
    labels: Option<Labels>,
}

#[derive(Default)]
struct State {
    edges: HashMap<String, Known>,
    groups: HashMap<Labels, Group>,
    other: Group,
    any_other: bool,
}

/// Edges as Prometheus sees them, from scrape to scrape.
#[derive(Default)]
pub struct EdgeSeries {
    state: Mutex<State>,
}

impl EdgeSeries {
    /// Takes the totals as they are now and writes all series.
    pub(super) fn update(&self, totals: &v1::Graph, text: &mut Text) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.update(totals, MAX_GROUPS);
        state.write(text);
    }
}

impl State {
    fn update(&mut self, totals: &v1::Graph, max_groups: usize) {
        let nodes: HashMap<&str, &v1::Node> = totals
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let present: HashSet<&str> = totals.edges.iter().map(|edge| edge.id.as_str()).collect();
        self.edges.retain(|id, _| present.contains(id.as_str()));
        let used: HashSet<&Labels> = self
            .edges
            .values()
            .filter_map(|known| known.labels.as_ref())
            .collect();
        self.groups.retain(|labels, _| used.contains(labels));
        self.any_other = false;
        for group in self.groups.values_mut().chain([&mut self.other]) {
            group.active = 0;
        }
        for edge in &totals.edges {
            self.edge(edge, &nodes, max_groups);
        }
    }

    fn edge(&mut self, edge: &v1::Edge, nodes: &HashMap<&str, &v1::Node>, max_groups: usize) {
        let known = match self.edges.entry(edge.id.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let labels = labels(edge, nodes);
                let room = self.groups.len() < max_groups || self.groups.contains_key(&labels);
                if room {
                    self.groups.entry(labels.clone()).or_default();
                }
                new.insert(Known {
                    client: None,
                    server: None,
                    labels: room.then_some(labels),
                })
            }
        };
        let (client, server) = (edge.client_view.as_ref(), edge.server_view.as_ref());
        let added = added(known, client.map(counts), server.map(counts));
        let group = match &known.labels {
            Some(labels) => self.groups.entry(labels.clone()).or_default(),
            None => {
                self.any_other = true;
                &mut self.other
            }
        };
        for (count, more) in group.counts.iter_mut().zip(added) {
            *count = count.saturating_add(more);
        }
        let active = server.or(client).map_or(0, |view| view.active);
        group.active = group.active.saturating_add(active);
    }

    fn write(&self, text: &mut Text) {
        let mut groups: Vec<(&Labels, &Group)> = self.groups.iter().collect();
        groups.sort_unstable_by_key(|(labels, _)| *labels);
        let other = Labels::other();
        if self.any_other || self.other.counts != Counts::default() {
            groups.push((&other, &self.other));
        }
        let mut family = |name, kind, help, extra: &[(&str, &str, usize)]| {
            text.family(name, kind, help);
            for (labels, group) in &groups {
                for (label, value, index) in extra {
                    let extra = Some((*label, *value)).filter(|(label, _)| !label.is_empty());
                    let count = group.counts.get(*index).copied().unwrap_or(group.active);
                    text.sample(labels.pairs().into_iter().chain(extra), count);
                }
            }
        };
        family(
            "insight_edge_connections_total",
            Kind::Counter,
            "Connections established from client to server.",
            &[("", "", 0)],
        );
        family(
            "insight_edge_connections_failed_total",
            Kind::Counter,
            "Connects from client to server that failed, by reason.",
            &[
                ("reason", "refused", 1),
                ("reason", "timed_out", 2),
                ("reason", "unreachable", 3),
                ("reason", "other", 4),
            ],
        );
        family(
            "insight_edge_active_connections",
            Kind::Gauge,
            "Connections that are open.",
            &[("", "", ACTIVE)],
        );
        family(
            "insight_edge_bytes_total",
            Kind::Counter,
            "Payload bytes; sent is from client to server.",
            &[("direction", "sent", 5), ("direction", "received", 6)],
        );
        family(
            "insight_edge_retransmits_total",
            Kind::Counter,
            "Segments sent again by the end that is measured: the server's where an agent sees it.",
            &[("", "", 7)],
        );
        let in_other = self.edges.values().filter(|known| known.labels.is_none());
        text.single(
            "insight_edge_series_in_other",
            Kind::Gauge,
            "Edges that are summed into client=\"other\" because there is no room for more series.",
            in_other.count(),
        );
    }
}

/// What was added to an edge since `known`, which is brought up to date. Failures are the client's, the rest the server's
/// where an agent sees it: the two are never added.
fn added(known: &mut Known, client: Option<Counts>, server: Option<Counts>) -> Counts {
    let new = known.client.is_none() && known.server.is_none();
    let grown = |before: Option<Counts>, now: Option<Counts>| {
        // A view that turns up later has counted what the other one has told already.
        let before = before.or(Some(Counts::default()).filter(|_| new))?;
        let mut grown = now?;
        for (count, before) in grown.iter_mut().zip(before) {
            *count = count.saturating_sub(before);
        }
        Some(grown)
    };
    let (by_client, by_server) = (grown(known.client, client), grown(known.server, server));
    (known.client, known.server) = (client, server);
    let mut added = by_server.or(by_client).unwrap_or_default();
    if let Some(failed) = by_client.or(by_server) {
        added[1..5].copy_from_slice(&failed[1..5]);
    }
    added
}

fn counts(view: &v1::EdgeView) -> Counts {
    let failures = view.failures.unwrap_or_default();
    [
        view.connections_opened,
        failures.refused,
        failures.timed_out,
        failures.unreachable,
        failures.other,
        view.bytes_sent,
        view.bytes_received,
        view.retransmits,
    ]
}

fn labels(edge: &v1::Edge, nodes: &HashMap<&str, &v1::Node>) -> Labels {
    let part = |id: &str, part: fn(&v1::Node) -> &String| {
        nodes
            .get(id)
            .map(|node| part(node).clone())
            .unwrap_or_default()
    };
    Labels {
        client: part(&edge.client, |node| &node.name),
        server: part(&edge.server, |node| &node.name),
        client_kind: part(&edge.client, |node| &node.kind),
        server_kind: part(&edge.server, |node| &node.kind),
        client_namespace: part(&edge.client, |node| &node.namespace),
        server_namespace: part(&edge.server, |node| &node.namespace),
        port: edge.port.to_string(),
        protocol: edge.protocol.clone(),
    }
}

impl Labels {
    fn other() -> Self {
        Self {
            client: OTHER.into(),
            server: OTHER.into(),
            client_kind: OTHER.into(),
            server_kind: OTHER.into(),
            client_namespace: String::new(),
            server_namespace: String::new(),
            port: String::new(),
            protocol: String::new(),
        }
    }

    fn pairs(&self) -> [(&str, &str); 8] {
        [
            ("client", &self.client),
            ("server", &self.server),
            ("client_kind", &self.client_kind),
            ("server_kind", &self.server_kind),
            ("client_namespace", &self.client_namespace),
            ("server_namespace", &self.server_namespace),
            ("port", &self.port),
            ("protocol", &self.protocol),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Family, parse};
    use super::*;

    fn node(id: &str, name: &str) -> v1::Node {
        v1::Node {
            id: id.into(),
            name: name.into(),
            kind: "unit".into(),
            ..v1::Node::default()
        }
    }

    fn view(opened: u64, refused: u64) -> Option<v1::EdgeView> {
        Some(v1::EdgeView {
            connections_opened: opened,
            active: opened,
            failures: Some(v1::Failures {
                refused,
                ..v1::Failures::default()
            }),
            ..v1::EdgeView::default()
        })
    }

    fn edge(
        client: &str,
        by_client: Option<v1::EdgeView>,
        by_server: Option<v1::EdgeView>,
    ) -> v1::Edge {
        v1::Edge {
            id: format!("id of {client}"),
            client: client.into(),
            server: "s".into(),
            protocol: "tcp".into(),
            port: 80,
            client_view: by_client,
            server_view: by_server,
            ..v1::Edge::default()
        }
    }

    fn scrape(
        state: &mut State,
        edges: Vec<v1::Edge>,
        max_groups: usize,
    ) -> HashMap<String, Family> {
        let mut nodes: Vec<v1::Node> = edges
            .iter()
            .map(|edge| node(&edge.client, edge.client.trim_end_matches('\'')))
            .collect();
        nodes.push(node("s", "server"));
        let graph = v1::Graph {
            nodes,
            edges,
            ..v1::Graph::default()
        };
        let mut text = Text::default();
        state.update(&graph, max_groups);
        state.write(&mut text);
        parse(&text.finish()).unwrap().into_iter().collect()
    }

    fn opened(families: &HashMap<String, Family>, client: &str) -> f64 {
        families["insight_edge_connections_total"].value(&[("client", client)])
    }

    #[test]
    fn the_servers_view_counts_connections_and_the_clients_failures() {
        let mut state = State::default();
        let families = scrape(&mut state, vec![edge("a", view(3, 7), view(2, 0))], 9);
        assert_eq!(opened(&families, "a"), 2.0);
        let failed = &families["insight_edge_connections_failed_total"];
        assert_eq!(failed.value(&[("client", "a"), ("reason", "refused")]), 7.0);
    }

    #[test]
    fn series_never_go_back() {
        let mut state = State::default();
        scrape(&mut state, vec![edge("a", view(100, 0), None)], 9);
        // Rows were forgotten: the sum shrank.
        let families = scrape(&mut state, vec![edge("a", view(40, 0), None)], 9);
        assert_eq!(opened(&families, "a"), 100.0);
        let families = scrape(&mut state, vec![edge("a", view(45, 0), None)], 9);
        assert_eq!(opened(&families, "a"), 105.0);
        // The server's view turns up: it tells what the client's has told.
        let families = scrape(&mut state, vec![edge("a", view(50, 0), view(48, 0))], 9);
        assert_eq!(opened(&families, "a"), 110.0);
        let families = scrape(&mut state, vec![edge("a", view(60, 0), view(58, 0))], 9);
        assert_eq!(opened(&families, "a"), 120.0);
    }

    #[test]
    fn edges_with_equal_labels_are_one_series() {
        let mut state = State::default();
        let edges = vec![edge("a", view(1, 0), None), edge("a'", view(2, 0), None)];
        assert_eq!(opened(&scrape(&mut state, edges, 9), "a"), 3.0);
        let families = scrape(&mut state, vec![edge("a'", view(5, 0), None)], 9);
        assert_eq!(opened(&families, "a"), 6.0);
        assert!(
            scrape(&mut state, vec![], 9)["insight_edge_connections_total"]
                .samples
                .is_empty()
        );
    }

    #[test]
    fn what_has_no_room_is_in_other_and_counted() {
        let mut state = State::default();
        let edges = vec![
            edge("a", view(1, 0), None),
            edge("b", view(2, 0), None),
            edge("c", view(3, 0), None),
        ];
        let families = scrape(&mut state, edges.clone(), 1);
        assert_eq!(
            (opened(&families, "a"), opened(&families, "other")),
            (1.0, 5.0)
        );
        assert_eq!(families["insight_edge_series_in_other"].value(&[]), 2.0);
        // An edge keeps its place, and what was once in other stays there.
        let families = scrape(&mut state, edges[1..].to_vec(), 1);
        assert_eq!(opened(&families, "other"), 5.0);
        let families = scrape(&mut state, edges, 1);
        assert_eq!(
            (opened(&families, "a"), opened(&families, "other")),
            (1.0, 5.0)
        );
    }
}
