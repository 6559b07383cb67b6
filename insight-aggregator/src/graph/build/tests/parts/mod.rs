//! Filters, the largest edges and nodes without edges, against what they mean.

mod alone;
mod filters;
mod kubernetes;
mod shop;
mod top;

use std::collections::{BTreeMap, BTreeSet};

use insight_proto::v1;

use crate::graph::testing::{Random, World, counts, part, pod, query, refused, unit, within};
use crate::graph::{Part, Query, TopBy, build};
use crate::model::{Level, Side};

const ROUNDS: u64 = 600;

fn graph(world: &World, part: Part) -> v1::Graph {
    let range = query(part.level).range;
    build(&world.window, &Query { range, part }, &world.index).unwrap()
}

/// Any question, with a level to ask it at.
fn ask(random: &mut Random, round: u64, ask: impl Fn(&mut v1::GraphQuery)) -> Part {
    let level = Level::ALL[(round % Level::ALL.len() as u64) as usize];
    let mut query = v1::GraphQuery {
        level: level.as_str().to_owned(),
        ..random.filters()
    };
    if matches!(level, Level::Node | Level::Zone) {
        query.namespaces.clear();
    }
    ask(&mut query);
    Query::parse(&query, i64::MAX / 2).unwrap().part
}

/// How large an edge is, by the view that counted more.
fn size(edge: &v1::Edge, by: TopBy) -> u64 {
    let of = |view: v1::EdgeView| match by {
        TopBy::Bytes => view.bytes_sent + view.bytes_received,
        TopBy::Connections => view.connections_opened,
        TopBy::Failures => view.connections_failed,
    };
    let views = [edge.client_view, edge.server_view];
    views.into_iter().flatten().map(of).max().unwrap()
}

/// Whether a node meets what is asked of nodes, as [place, kind]. No pod of these worlds has a label.
fn met(graph: &v1::Graph, id: &str, part: &Part) -> [bool; 2] {
    let filter = &part.filter;
    let node = graph.nodes.iter().find(|node| node.id == id).unwrap();
    let lacks_all = filter.selector.matches(|_| None);
    let is_in = |namespace: &str| {
        let is_named = filter.namespaces.iter().any(|known| known == namespace);
        let is_selected = filter.selector.is_empty() || !namespace.is_empty() && lacks_all;
        (filter.namespaces.is_empty() || is_named) && is_selected
    };
    // Candidates are told by their ids.
    let of = |id: &str| match id {
        "pod:a" | "pod:b" | "container:a1" | "container:a2" | "container:b1" => "shop",
        "pod:c" | "container:c1" => "pay",
        _ => "",
    };
    let mut candidates = node.labels.get("candidates").into_iter();
    let is_there = is_in(&node.namespace)
        || candidates.any(|all| all.split(", ").any(|candidate| is_in(of(candidate))));
    let is_of_kind = filter.kinds.is_empty() || filter.kinds.contains(&node.kind);
    [is_there, is_of_kind]
}

/// Whether an edge of the whole graph is to be kept.
fn is_kept(whole: &v1::Graph, edge: &v1::Edge, part: &Part) -> bool {
    let filter = &part.filter;
    let ends = [&edge.client, &edge.server].map(|end| met(whole, end, part));
    let protocols = filter.protocols.iter();
    let protocols: Vec<&str> = protocols.map(|protocol| protocol.as_str()).collect();
    let ports = &filter.ports;
    (0..2).all(|what| ends.iter().any(|met| met[what]))
        && (protocols.is_empty() || protocols.contains(&&*edge.protocol))
        && (ports.is_empty()
            || ports
                .iter()
                .any(|(first, last)| (u32::from(*first)..=u32::from(*last)).contains(&edge.port)))
        && size(edge, TopBy::Bytes) >= filter.min_bytes
        && size(edge, TopBy::Connections) >= filter.min_connections
}

/// Every count of a view, the numbers of its times too.
fn counted(view: &v1::EdgeView) -> [u64; 18] {
    let failures = view.failures.unwrap();
    let times = |times: Option<v1::Times>| times.map_or(0, |times| times.count);
    [
        view.connections_opened,
        view.connections_closed,
        view.connections_failed,
        view.active,
        view.bytes_sent,
        view.bytes_received,
        view.retransmits,
        failures.refused,
        failures.timed_out,
        failures.unreachable,
        failures.other,
        view.resets,
        view.bytes_retransmitted,
        view.syn_retransmits,
        times(view.rtt),
        times(view.connect),
        view.messages_sent,
        view.messages_received,
    ]
}

/// Sums of the client's views and of the server's.
fn sums<'e>(edges: impl Iterator<Item = &'e v1::Edge>) -> [[u64; 18]; 2] {
    let mut sums = [[0; 18]; 2];
    for edge in edges {
        let views = [&edge.client_view, &edge.server_view];
        for (sum, view) in sums.iter_mut().zip(views) {
            let counts = view.as_ref().map_or([0; 18], counted);
            sum.iter_mut()
                .zip(counts)
                .for_each(|(sum, count)| *sum += count);
        }
    }
    sums
}

/// A world whose rows have every kind of count.
fn rich_world(random: &mut Random) -> World {
    let mut world = random.world();
    let mut keys: Vec<_> = world.window.rows.keys().cloned().collect();
    keys.sort();
    for key in keys {
        let counters = &mut world.window.rows.get_mut(&key).unwrap().counters;
        counters.closed = random.below(3);
        counters.failed_timed_out = random.below(2);
        counters.failed_unreachable = random.below(2);
        counters.failed_other = random.below(2);
        counters.retransmits = random.below(9);
        counters.resets = random.below(2);
        counters.bytes_retransmitted = random.below(900);
        counters.syn_retransmits = random.below(2);
        counters.messages_sent = random.below(5);
        counters.messages_received = random.below(5);
        counters.rtt.0[random.below(16) as usize] = random.below(50) as u32;
        counters.connect.0[random.below(16) as usize] = random.below(50) as u32;
    }
    world
}
