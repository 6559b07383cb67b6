//! What a subscriber has to be told.

use std::collections::BTreeMap;

use insight_proto::v1;

use super::Range;
use super::merge::{Pair, pairs};
use super::query::time::{from_proto, to_proto};

/// What turns `old` into `new`; `None` when nothing changed but the end of the range and CPU and memory samples.
///
/// A new sample alone is no change: every node has one at every report, and a quiet graph would be sent again and again.
/// A gap that still lasts is no change either.
pub fn delta(old: &v1::Graph, new: &v1::Graph) -> Option<v1::GraphDelta> {
    let mut delta = v1::GraphDelta {
        to: new.to,
        complete: new.complete,
        gaps: new.gaps.clone(),
        ..v1::GraphDelta::default()
    };
    let mut changed = old.complete != new.complete || !same_gaps(old, new);
    for pair in pairs(&old.nodes, &new.nodes, |node| &node.id) {
        match pair {
            Pair::Old(node) => delta.remove_nodes.push(node.id.clone()),
            Pair::New(node) => delta.add_nodes.push(node.clone()),
            Pair::Both(old, new) if same_node(old, new) => continue,
            Pair::Both(_, new) => delta.update_nodes.push(new.clone()),
        }
        changed = true;
    }
    for pair in pairs(&old.edges, &new.edges, |edge| &edge.id) {
        match pair {
            Pair::Old(edge) => delta.remove_edges.push(edge.id.clone()),
            Pair::New(edge) => delta.add_edges.push(edge.clone()),
            Pair::Both(old, new) if old == new => continue,
            Pair::Both(_, new) => delta.update_edges.push(new.clone()),
        }
        changed = true;
    }
    changed.then_some(delta)
}

/// Changes `graph`, the snapshot of a subscription, as `delta` says. Its range stays the running 15 minutes.
pub fn apply(graph: &mut v1::Graph, delta: &v1::GraphDelta) {
    if let Some(to) = delta.to {
        graph.to = Some(to);
        if let Ok(to) = from_proto(&to) {
            graph.from = Some(to_proto(Range::running(to).from));
        }
    }
    graph.complete = delta.complete;
    graph.gaps.clone_from(&delta.gaps);
    let id = |node: &v1::Node| node.id.clone();
    change(
        &mut graph.nodes,
        [&delta.add_nodes, &delta.update_nodes],
        &delta.remove_nodes,
        id,
    );
    let id = |edge: &v1::Edge| edge.id.clone();
    change(
        &mut graph.edges,
        [&delta.add_edges, &delta.update_edges],
        &delta.remove_edges,
        id,
    );
}

/// An update of what is not known adds it, an addition of what is known replaces it, and both lists stay sorted: a delta
/// that is applied again after a resumed subscription does no harm.
fn change<T: Clone>(
    list: &mut Vec<T>,
    put: [&Vec<T>; 2],
    remove: &[String],
    id: impl Fn(&T) -> String,
) {
    let mut all: BTreeMap<String, T> = list.drain(..).map(|item| (id(&item), item)).collect();
    for gone in remove {
        all.remove(gone);
    }
    all.extend(
        put.into_iter()
            .flatten()
            .map(|item| (id(item), item.clone())),
    );
    list.extend(all.into_values());
}

fn same_node(a: &v1::Node, b: &v1::Node) -> bool {
    let known = |node: &v1::Node| v1::Node {
        metrics: None,
        ..node.clone()
    };
    a == b || known(a) == known(b)
}

/// Whether both have the same gaps, apart from how far those reach that last until the graph's end.
fn same_gaps(old: &v1::Graph, new: &v1::Graph) -> bool {
    let start =
        |gap: &v1::Gap, graph: &v1::Graph| gap.from.filter(|from| Some(*from) != graph.from);
    let end = |gap: &v1::Gap, graph: &v1::Graph| gap.to.filter(|to| Some(*to) != graph.to);
    old.gaps.len() == new.gaps.len()
        && old.gaps.iter().zip(&new.gaps).all(|(a, b)| {
            a.node == b.node
                && a.reason == b.reason
                && start(a, old) == start(b, new)
                && end(a, old) == end(b, new)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::{END, Random, START, World, counts, pod};
    use crate::graph::{DEFAULT_RANGE_MS, Part, Query, build};
    use crate::model::{Coverage, Level, Metrics};

    /// The graph of the running 15 minutes that end so much later.
    fn later(world: &World, ms: i64) -> v1::Graph {
        part_later(world, ms, Part::default())
    }

    /// The same of a part.
    fn part_later(world: &World, ms: i64, part: Part) -> v1::Graph {
        let mut world = world.clone();
        let range = Range::running(END + ms);
        (world.window.from, world.window.to) = (range.from, range.to);
        build(&world.window, &Query { range, part }, &world.index).unwrap()
    }

    fn without_samples(graph: &v1::Graph) -> v1::Graph {
        let mut graph = graph.clone();
        graph.nodes.iter_mut().for_each(|node| node.metrics = None);
        graph
    }

    fn pair() -> World {
        World::new()
            .client(&pod("n1", "a"), "10.0.0.1", "10.0.0.2", 80, counts(1, 1, 1))
            .server(&pod("n1", "b"), "10.0.0.2", "10.0.0.1", 80, counts(1, 1, 1))
    }

    #[test]
    fn applied_to_the_old_it_gives_the_new() {
        let mut random = Random(0xde17a);
        let mut told = 0;
        for _ in 0..400 {
            let (before, after) = (random.world(), random.world());
            let (old, new) = (later(&before, 0), later(&after, 7000));
            let mut kept = old.clone();
            match delta(&old, &new) {
                Some(changes) => {
                    told += 1;
                    apply(&mut kept, &changes);
                    assert_eq!(kept, new);
                    apply(&mut kept, &changes);
                    assert_eq!(kept, new, "once more does no harm");
                }
                None => assert_eq!((kept.nodes, kept.edges), (new.nodes, new.edges)),
            }
        }
        assert!(told > 300, "worlds differ");
    }

    #[test]
    fn every_part_can_be_followed() {
        let mut random = Random(0xf0110);
        let (mut told, mut others) = (0, 0);
        for round in 0..600 {
            let part = random.part(Level::ALL[round % Level::ALL.len()]);
            let (before, after) = (random.world(), random.world());
            let old = part_later(&before, 0, part.clone());
            let new = part_later(&after, 7000, part);
            let Some(changes) = delta(&old, &new) else {
                assert_eq!((old.nodes, old.edges), (new.nodes, new.edges));
                continue;
            };
            let mut kept = old;
            apply(&mut kept, &changes);
            assert_eq!(kept, new);
            told += 1;
            let is_other = |edge: &v1::Edge| edge.client == "other";
            others += usize::from(changes.update_edges.iter().any(is_other));
        }
        assert!(told > 200 && others > 20, "{told} told, {others} of others");
    }

    #[test]
    fn only_what_changed_is_told() {
        let old = later(&pair(), 0);
        let world = pair().client(
            &pod("n1", "a"),
            "10.0.0.1",
            "192.0.2.7",
            443,
            counts(1, 1, 1),
        );
        let changes = delta(&old, &later(&world, 1000)).unwrap();
        assert_eq!(changes.add_nodes.len(), 1);
        assert_eq!(changes.add_nodes[0].id, "external:192.0.2.7");
        assert_eq!(
            (
                changes.add_edges.len(),
                changes.update_edges.len(),
                changes.update_nodes.len()
            ),
            (1, 0, 0)
        );

        let mut world = pair();
        world
            .window
            .rows
            .iter_mut()
            .for_each(|(_, sum)| sum.counters.bytes_sent += 1);
        let changes = delta(&old, &later(&world, 1000)).unwrap();
        assert_eq!(
            (
                changes.add_edges.len(),
                changes.update_edges.len(),
                changes.remove_edges.len()
            ),
            (0, 1, 0)
        );

        let changes = delta(&old, &later(&World::new(), 1000)).unwrap();
        assert_eq!(changes.remove_nodes, ["pod:a", "pod:b"]);
        assert_eq!(changes.remove_edges.len(), 1);
    }

    #[test]
    fn time_and_samples_alone_are_no_change() {
        let old = later(&pair(), 0);
        let mut world = pair();
        let sample = Metrics {
            at: START,
            cpu_usage_ns: Some(1),
            ..Metrics::default()
        };
        world.window.metrics.insert("container:a1".into(), sample);
        let new = later(&world, 61_000);
        assert!(new.nodes[0].metrics.is_some() && new.from != old.from);
        assert_eq!(delta(&old, &new), None);
        assert_eq!(without_samples(&new).nodes, old.nodes);
    }

    #[test]
    fn a_gap_is_told_when_it_opens_and_when_it_ends() {
        let report = |from: i64, to: i64| Coverage {
            from: START + from,
            to: START + to,
            interval_ms: 5000,
            live_readout: true,
            dropped_updates: 0,
            stopping: false,
        };
        let length = DEFAULT_RANGE_MS;
        let world = |reports: &[Coverage]| {
            let mut world = pair();
            world
                .window
                .coverage
                .insert("n1".to_owned(), reports.to_vec());
            world
        };
        let alive = world(&[report(0, length)]);
        let whole = later(&alive, 10_000);
        assert_eq!(whole.gaps.len(), 1, "one long report is coarse");
        let silent = later(&alive, 20_000);
        let changes = delta(&whole, &silent).unwrap();
        assert_eq!(changes.gaps.len(), 2);
        assert_eq!(
            delta(&silent, &later(&alive, 25_000)),
            None,
            "it only lasts longer"
        );
        let back = world(&[report(0, length), report(length + 22_000, length + 27_000)]);
        let mut kept = silent.clone();
        let new = later(&back, 27_000);
        apply(&mut kept, &delta(&silent, &new).unwrap());
        assert_eq!(kept, new);
    }
}
