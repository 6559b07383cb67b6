//! Nothing is counted twice, and nothing is left out, whatever meets whatever.

use std::collections::HashSet;

use insight_proto::v1;

use crate::graph::testing::{Random, World};
use crate::model::{Counters, Level, Side};

const WORLDS: u64 = 400;

fn sum_of_rows(world: &World, side: Side) -> Counters {
    let mut sum = Counters::default();
    for (key, row) in world.window.rows.iter() {
        if key.side == side {
            sum.add_peer(&row.counters);
        }
    }
    sum
}

/// Connections opened, failed and open, bytes sent and received.
fn sum_of_edges(graph: &v1::Graph, view: impl Fn(&v1::Edge) -> Option<v1::EdgeView>) -> [u64; 5] {
    let mut sum = [0; 5];
    for view in graph.edges.iter().filter_map(view) {
        let counts = [
            view.connections_opened,
            view.connections_failed,
            view.active,
            view.bytes_sent,
            view.bytes_received,
        ];
        sum.iter_mut()
            .zip(counts)
            .for_each(|(sum, count)| *sum += count);
    }
    sum
}

#[test]
fn the_edges_of_every_level_hold_what_the_rows_hold() {
    let mut random = Random(0x5eed);
    for _ in 0..WORLDS {
        let world = random.world();
        let client = sum_of_rows(&world, Side::Client);
        let server = sum_of_rows(&world, Side::Server);
        for level in Level::ALL {
            let graph = world.graph(level);
            assert_eq!(
                sum_of_edges(&graph, |edge| edge.client_view),
                [
                    client.opened,
                    client.failed(),
                    client.active,
                    client.bytes_sent,
                    client.bytes_received
                ]
            );
            // Less where clients share an address, never more; sent and received change places.
            let told = sum_of_edges(&graph, |edge| edge.server_view);
            let counted = [
                server.opened,
                server.failed(),
                server.active,
                server.bytes_received,
                server.bytes_sent,
            ];
            assert!(
                told.iter()
                    .zip(counted)
                    .all(|(told, counted)| *told <= counted)
            );
        }
    }
}

#[test]
fn every_graph_is_well_formed() {
    let mut random = Random(0xfeed);
    for _ in 0..WORLDS {
        let world = random.world();
        for level in Level::ALL {
            let graph = world.graph(level);
            assert!(graph.nodes.is_sorted_by(|a, b| a.id < b.id));
            assert!(graph.edges.is_sorted_by(|a, b| a.id < b.id));
            let ends: HashSet<&str> = graph
                .edges
                .iter()
                .flat_map(|edge| [&*edge.client, &*edge.server])
                .collect();
            let nodes: HashSet<&str> = graph.nodes.iter().map(|node| &*node.id).collect();
            assert_eq!(ends, nodes);
            assert!(
                graph
                    .edges
                    .iter()
                    .all(|edge| edge.client_view.is_some() || edge.server_view.is_some())
            );
        }
    }
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let mut random = Random(0xbeef);
    for _ in 0..WORLDS {
        let world = random.world();
        let mut other = world.clone();
        let mut rows: Vec<_> = world.window.rows.clone().into_pairs().collect();
        rows.sort_by(|(a, _), (b, _)| b.cmp(a));
        // A new map has new hash keys, and so another order.
        other.window.rows = rows.into_iter().collect();
        for level in Level::ALL {
            assert_eq!(world.graph(level), other.graph(level));
        }
    }
}
