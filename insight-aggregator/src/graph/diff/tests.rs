use super::*;
use crate::graph::Top;
use crate::graph::testing::{START, World, counts, pod};
use crate::model::Level;

fn called(world: World, server: &str, address: &str, bytes: u64) -> World {
    world
        .client(
            &pod("n1", "a"),
            "10.0.0.1",
            address,
            80,
            counts(1, bytes, 0),
        )
        .server(
            &pod("n1", server),
            address,
            "10.0.0.1",
            80,
            counts(1, 0, bytes),
        )
}

#[test]
fn what_came_went_and_changed() {
    let before = called(World::new(), "b", "10.0.0.2", 5);
    let before = called(called(before, "c", "10.0.0.3", 5), "d", "10.0.0.4", 5);
    let after = called(World::new(), "b", "10.0.0.2", 5);
    let mut after = called(called(after, "c", "10.0.0.3", 7), "e", "10.0.0.5", 5);
    after
        .window
        .rows
        .iter_mut()
        .for_each(|(_, sum)| sum.last_seen = START + 9000);
    let (before, after) = (before.seen(), after.seen());

    let found = compare(&before, &after);
    let nodes = |nodes: &[v1::Node]| nodes.iter().map(|node| node.id.clone()).collect::<Vec<_>>();
    let edges = |edges: &[v1::Edge]| {
        edges
            .iter()
            .map(|edge| edge.server.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (nodes(&found.added_nodes), nodes(&found.removed_nodes)),
        (vec!["pod:e".to_owned()], vec!["pod:d".to_owned()])
    );
    assert_eq!(
        (edges(&found.added_edges), edges(&found.removed_edges)),
        (vec!["pod:e".to_owned()], vec!["pod:d".to_owned()])
    );
    let [change] = found.changed_edges.as_slice() else {
        panic!("only c has other counts: {found:?}")
    };
    let sent = |edge: &Option<v1::Edge>| edge.as_ref().unwrap().client_view.unwrap().bytes_sent;
    assert_eq!((sent(&change.before), sent(&change.after)), (5, 7));
    assert_eq!(
        {
            let same = compare(&after, &after);
            (same.unchanged_edges, listed(&same))
        },
        (3, 0)
    );
}

impl World {
    /// Its graph, as if agents had seen all of the time.
    fn seen(self) -> v1::Graph {
        v1::Graph {
            gaps: Vec::new(),
            complete: true,
            ..self.graph(Level::Workload)
        }
    }
}

/// Every difference is one.
fn compare(before: &v1::Graph, after: &v1::Graph) -> v1::GraphDiff {
    let all = Thresholds::parse("all:0%").unwrap();
    diff(before, after, &all, &Sizes::default())
}

/// How many edges differ.
fn listed(diff: &v1::GraphDiff) -> usize {
    diff.added_edges.len()
        + diff.removed_edges.len()
        + diff.changed_edges.len()
        + diff.perhaps_added_edges.len()
        + diff.perhaps_removed_edges.len()
}

fn gap(node: &str, reason: &str) -> v1::Gap {
    v1::Gap {
        node: node.to_owned(),
        reason: reason.to_owned(),
        ..v1::Gap::default()
    }
}

/// The pods a on n1 and `server`, on another node, that it calls.
fn graph_of(server: (&str, &str), bytes: u64) -> v1::Graph {
    let (on, server) = server;
    World::new()
        .client(
            &pod("n1", "a"),
            "10.0.0.1",
            "10.0.0.2",
            80,
            counts(1, bytes, 0),
        )
        .server(
            &pod(on, server),
            "10.0.0.2",
            "10.0.0.1",
            80,
            counts(1, 0, bytes),
        )
        .seen()
}

#[test]
fn what_a_gap_hides_is_never_removed_or_added() {
    let (before, empty) = (graph_of(("n2", "b"), 5), World::new().seen());
    for (node, reason, is_hidden) in [
        ("n1", "agent_silent", true),
        ("n2", "agent_stopped", true),
        ("", "no_agent", true),
        ("n2", "no_live_readout", true),
        ("n2", "dropped_updates", true),
        ("", "not_kept", true),
        ("n3", "agent_silent", false),
        ("n2", "coarse", false),
        ("", "kubernetes_refused", false),
    ] {
        let hiding = v1::Graph {
            gaps: vec![gap(node, reason)],
            ..empty.clone()
        };
        let edges = |certain: &[v1::Edge], perhaps: &[v1::Edge]| (certain.len(), perhaps.len());
        let nodes = |certain: &[v1::Node], perhaps: &[v1::Node]| (certain.len(), perhaps.len());
        let one = if is_hidden { (0, 1) } else { (1, 0) };
        let went = compare(&before, &hiding);
        let found = edges(&went.removed_edges, &went.perhaps_removed_edges);
        assert_eq!(found, one, "{node} {reason}");
        let came = compare(&hiding, &before);
        let found = edges(&came.added_edges, &came.perhaps_added_edges);
        assert_eq!(found, one, "{node} {reason}");
        let found = nodes(&went.removed_nodes, &went.perhaps_removed_nodes);
        assert_eq!(found.0 + found.1, 2);
        assert_eq!(found.1 > 0, is_hidden, "{node} {reason}");
        assert_eq!(went.after.unwrap().gaps.len(), 1, "it is said");
    }
}

#[test]
fn counts_next_to_a_gap_are_uncertain() {
    let (before, mut after) = (graph_of(("n2", "b"), 5), graph_of(("n2", "b"), 9));
    assert!(!compare(&before, &after).changed_edges[0].uncertain);
    after.gaps = vec![gap("n3", "agent_silent")];
    assert!(!compare(&before, &after).changed_edges[0].uncertain);
    after.gaps = vec![gap("n2", "coarse")];
    assert!(compare(&before, &after).changed_edges[0].uncertain);
    assert!(compare(&after, &before).changed_edges[0].uncertain);
}

#[test]
fn what_may_be_anywhere_is_hidden_by_any_gap() {
    let mut before = graph_of(("n2", "b"), 5);
    for node in &mut before.nodes {
        node.node.clear();
        node.kind = "deployment".to_owned();
    }
    let after = v1::Graph {
        gaps: vec![gap("n9", "agent_silent")],
        ..World::new().seen()
    };
    let found = compare(&before, &after);
    assert_eq!(
        (found.removed_edges.len(), found.perhaps_removed_edges.len()),
        (0, 1)
    );
}

#[test]
fn times_of_other_lengths_are_compared_by_the_second() {
    let ranged = |bytes, minutes: i64| {
        let mut graph = graph_of(("n2", "b"), bytes);
        let from = graph.from.unwrap().seconds;
        graph.to = Some(prost_types::Timestamp {
            seconds: from + minutes * 60,
            nanos: 0,
        });
        graph
    };
    let thresholds = Thresholds::parse("all:10%").unwrap();
    let changed = |before: &v1::Graph, after: &v1::Graph| {
        let found = diff(before, after, &thresholds, &Sizes::default());
        let changes = found.changed_edges.into_iter().flat_map(|one| one.counters);
        changes
            .filter(|change| change.counter == "bytes")
            .map(|change| {
                (
                    change.before,
                    change.after,
                    change.before_per_second.unwrap(),
                    change.after_per_second.unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(changed(&ranged(6_000, 10), &ranged(60_000, 100)), []);
    assert_eq!(
        changed(&ranged(6_000, 10), &ranged(6_000, 100)),
        [(6_000, 6_000, 10.0, 1.0)]
    );
}

#[test]
fn one_view_is_compared_with_the_same_view() {
    let (before, mut after) = (graph_of(("n2", "b"), 50_000), graph_of(("n2", "b"), 50_000));
    // The server's agent is away, and the client has not read yet.
    after.edges[0].server_view = None;
    let bytes = |graph: &mut v1::Graph, bytes| {
        graph.edges[0].client_view.as_mut().unwrap().bytes_sent = bytes;
    };
    assert_eq!(compare(&before, &after).changed_edges.len(), 0);
    let mut before = before;
    bytes(&mut before, 10);
    bytes(&mut after, 10);
    assert_eq!(compare(&before, &after).changed_edges.len(), 0);
    before.edges[0].client_view = None;
    assert_eq!(compare(&before, &after).changed_edges.len(), 1);
}

#[test]
fn one_that_became_too_small_has_not_gone() {
    let (before, after) = (graph_of(("n2", "b"), 50_000), graph_of(("n2", "b"), 5));
    for (least, expected) in [(0, 1), (50_000, 1), (50_001, 0)] {
        let sizes = Sizes {
            min_bytes: least,
            ..Sizes::default()
        };
        let found = diff(&before, &after, &Thresholds::default(), &sizes);
        assert_eq!(
            (listed(&found), found.changed_edges.len()),
            (expected, expected)
        );
    }
}

#[test]
fn the_largest_differences_are_left() {
    let empty = World::new().seen();
    let many = called(World::new(), "b", "10.0.0.2", 5);
    let many = called(called(many, "c", "10.0.0.3", 7), "d", "10.0.0.4", 6);
    let many = many.seen();
    let sizes = Sizes {
        top: Some(Top {
            edges: 2,
            by: TopBy::Bytes,
        }),
        ..Sizes::default()
    };
    let found = diff(&many, &empty, &Thresholds::default(), &sizes);
    let mut servers: Vec<&str> = found
        .removed_edges
        .iter()
        .map(|edge| &*edge.server)
        .collect();
    servers.sort_unstable();
    assert_eq!(servers, ["pod:c", "pod:d"]);
    assert_eq!(found.left_out_edges, 1);
    assert!(found.nodes.iter().all(|node| node.id != "pod:b"));
}

#[test]
fn a_node_that_is_described_otherwise_has_changed() {
    let (before, mut after) = (graph_of(("n2", "b"), 5), graph_of(("n2", "b"), 5));
    after.nodes[0].zone = "z2".to_owned();
    after.nodes[0]
        .kubernetes_labels
        .insert("version".into(), "2".into());
    after.nodes[1].metrics = Some(v1::NodeMetrics::default());
    let found = compare(&before, &after);
    let [change] = found.changed_nodes.as_slice() else {
        panic!("one of them: {found:?}")
    };
    assert_eq!(change.fields, ["kubernetes_labels", "zone"]);
}
