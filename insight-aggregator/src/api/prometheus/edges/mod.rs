//! Edges as Prometheus series: few, and never going back.
//!
//! Edges with the same labels are one series. The ledger forgets rows that were idle for long, and an end that was only
//! seen by clients may later be seen by servers too; so a series grows by what was added since the last scrape, rather
//! than showing a sum that could shrink, which Prometheus would take for a restart.

mod labels;
#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use insight_proto::v1;

use self::labels::Labels;
use super::text::{Kind, Text};

/// Groups of series with labels of their own; there are 15 series in each. A scrape of 65,000 series is what a Prometheus
/// takes from one target without trouble (about 20 MB of text).
const MAX_GROUPS: usize = 5_000;
/// Counts of a series group.
const COUNTS: usize = 13;
/// In place of an index of counts: the gauge.
const ACTIVE: usize = COUNTS;

/// opened, refused, timed out, unreachable, other failure, sent, received, retransmits, of handshakes, bytes sent again, resets,
/// datagrams sent, received.
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
                let labels = Labels::of(edge, nodes);
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
        family(
            "insight_edge_handshake_retransmits_total",
            Kind::Counter,
            "Segments of handshakes sent again by the end that is measured.",
            &[("", "", 8)],
        );
        family(
            "insight_edge_retransmitted_bytes_total",
            Kind::Counter,
            "Payload bytes sent again by the end that is measured.",
            &[("", "", 9)],
        );
        family(
            "insight_edge_resets_total",
            Kind::Counter,
            "Established connections that the end that is measured saw reset.",
            &[("", "", 10)],
        );
        family(
            "insight_edge_datagrams_total",
            Kind::Counter,
            "Datagrams of UDP, where agents count them (--udp bytes); sent is from client to server.",
            &[("direction", "sent", 11), ("direction", "received", 12)],
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
        view.syn_retransmits,
        view.bytes_retransmitted,
        view.resets,
        view.messages_sent,
        view.messages_received,
    ]
}
