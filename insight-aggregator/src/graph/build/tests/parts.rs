//! Filters, the largest edges and nodes without edges, against what they mean.

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

#[test]
fn what_is_kept_and_what_is_dropped_are_all() {
    let mut random = Random(0xf117e5);
    let (mut some, mut none, mut all) = (0, 0, 0);
    for round in 0..ROUNDS {
        let world = rich_world(&mut random);
        let part = ask(&mut random, round, |_| {});
        let whole = world.graph(part.level);
        let (kept, dropped): (Vec<&v1::Edge>, Vec<&v1::Edge>) = whole
            .edges
            .iter()
            .partition(|edge| is_kept(&whole, edge, &part));
        let found = graph(&world, part.clone());
        assert_eq!(found.edges.iter().collect::<Vec<_>>(), kept, "{part:?}");
        let all_sums = sums(kept.iter().chain(&dropped).copied());
        assert_eq!(all_sums, sums(whole.edges.iter()));
        // Nodes are those of the edges, as they are in the whole graph.
        let ends: BTreeSet<&str> = kept
            .iter()
            .flat_map(|edge| [&*edge.client, &*edge.server])
            .collect();
        let nodes = whole.nodes.iter().filter(|node| ends.contains(&*node.id));
        assert_eq!(found.nodes, nodes.cloned().collect::<Vec<_>>());
        match (kept.is_empty(), dropped.is_empty()) {
            (true, false) => none += 1,
            (false, true) => all += 1,
            (false, false) => some += 1,
            (true, true) => {}
        }
    }
    assert!(some > 50 && none > 50 && all > 20, "{some} {none} {all}");
}

#[test]
fn the_largest_and_the_others_are_all() {
    let mut random = Random(0x709);
    let (mut summed, mut ids) = (0, BTreeSet::new());
    for round in 0..ROUNDS {
        let world = rich_world(&mut random);
        let by = [TopBy::Bytes, TopBy::Connections, TopBy::Failures][random.below(3) as usize];
        let most = random.below(8) as u32;
        let filtered = ask(&mut random, round, |query| {
            // Of every second graph all edges, so that there are many.
            if round % 2 == 0 {
                *query = v1::GraphQuery {
                    level: query.level.clone(),
                    ..v1::GraphQuery::default()
                };
            }
        });
        let mut cut = filtered.clone();
        cut.top = Some(crate::graph::Top { edges: most, by });
        let (whole, top) = (graph(&world, filtered), graph(&world, cut.clone()));
        assert_eq!(sums(top.edges.iter()), sums(whole.edges.iter()));
        assert_eq!(graph(&world, cut), top, "the same edges every time");
        let (others, largest): (Vec<&v1::Edge>, Vec<&v1::Edge>) =
            top.edges.iter().partition(|edge| edge.client == "other");
        assert_eq!(largest.len(), whole.edges.len().min(most as usize));
        assert!(largest.iter().all(|edge| whole.edges.contains(edge)));
        let is_left = |edge: &&v1::Edge| !largest.contains(edge);
        let left: Vec<&v1::Edge> = whole.edges.iter().filter(is_left).collect();
        let smallest = largest.iter().map(|edge| size(edge, by)).min();
        assert!(
            left.iter()
                .all(|edge| smallest.is_none_or(|least| size(edge, by) <= least))
        );
        assert_eq!(others.len(), usize::from(!left.is_empty()));
        assert!(top.nodes.is_sorted_by(|a, b| a.id < b.id));
        assert!(top.edges.is_sorted_by(|a, b| a.id < b.id));
        let Some(other) = others.first() else {
            continue;
        };
        summed += 1;
        assert_eq!(
            (&*other.server, &*other.protocol, other.port),
            ("other", "", 0)
        );
        let seen = |edge: &&v1::Edge| edge.first_seen.unwrap().seconds;
        assert_eq!(Some(seen(other)), left.iter().map(seen).min());
        let views = |of: fn(&v1::Edge) -> bool| left.iter().any(|edge| of(edge));
        assert_eq!(
            other.client_view.is_some(),
            views(|edge| edge.client_view.is_some())
        );
        assert_eq!(
            other.server_view.is_some(),
            views(|edge| edge.server_view.is_some())
        );
        assert_eq!(other.loopback, left.iter().all(|edge| edge.loopback));
        let node = top.nodes.iter().find(|node| node.id == "other").unwrap();
        assert_eq!(
            (&*node.kind, &*node.labels["edges"]),
            ("other", &*left.len().to_string())
        );
        ids.insert(other.id.clone());
    }
    assert!(summed > 200, "{summed}");
    assert_eq!(ids.len(), 1, "its id is stable");
}

#[test]
fn nodes_without_edges_are_there_when_they_are_asked_for() {
    let mut random = Random(0xa10e);
    let mut alone = 0;
    for round in 0..ROUNDS {
        let mut world = random.world();
        // Who is known, and has no row.
        for idle in [
            within("shop", pod("n1", "idle")),
            within("pay", pod("n2", "idler")),
            unit("n1", "idle.service"),
        ] {
            world.window.entities.insert(idle.id.clone(), idle);
        }
        let part = ask(&mut random, round, |query| query.unconnected = true);
        let without = Part {
            unconnected: false,
            ..part.clone()
        };
        let everything = Part {
            level: part.level,
            unconnected: true,
            ..Part::default()
        };
        let (found, edges) = (graph(&world, part.clone()), graph(&world, without));
        assert_eq!(found.edges, edges.edges);
        let (everything, whole) = (graph(&world, everything), world.graph(part.level));
        let connected: BTreeSet<&str> = whole.nodes.iter().map(|node| &*node.id).collect();
        let mut expected: BTreeMap<&str, &v1::Node> =
            edges.nodes.iter().map(|node| (&*node.id, node)).collect();
        for node in &everything.nodes {
            let is_asked_for = met(&everything, &node.id, &part) == [true, true];
            if !connected.contains(&*node.id) && is_asked_for {
                expected.insert(&node.id, node);
                alone += 1;
            }
        }
        let expected: Vec<v1::Node> = expected.into_values().cloned().collect();
        assert_eq!(found.nodes, expected, "{part:?}");
        if part.level == Level::Workload {
            let ids: Vec<&str> = everything.nodes.iter().map(|node| &*node.id).collect();
            assert!(ids.contains(&"pod:idle") && ids.contains(&"unit:n1/idle.service"));
        }
    }
    assert!(alone > 200, "{alone}");
}

/// shop's web calls its db and an address outside; pay's job calls shop's db, and a unit calls pay's job.
fn shop() -> World {
    let (web, db) = (
        within("shop", pod("n1", "web")),
        within("shop", pod("n2", "db")),
    );
    let (job, cron) = (within("pay", pod("n1", "job")), unit("n1", "cron"));
    World::new()
        .client(&web, "10.0.0.1", "10.0.0.2", 5432, counts(9, 900, 90))
        .server(&db, "10.0.0.2", "10.0.0.1", 5432, counts(9, 90, 900))
        .client(&web, "10.0.0.1", "192.0.2.7", 443, counts(1, 5, 5))
        .client(&job, "10.0.0.3", "10.0.0.2", 5432, counts(2, 20, 2))
        .server(&db, "10.0.0.2", "10.0.0.3", 5432, counts(2, 2, 20))
        .client(&cron, "10.0.0.4", "10.0.0.3", 80, refused(3))
}

#[test]
fn a_namespace_has_its_callers_and_what_it_calls() {
    let ask = |ask: fn(&mut v1::GraphQuery)| {
        let graph = graph(&shop(), part(ask));
        let mut lines: Vec<String> = graph
            .edges
            .iter()
            .map(|edge| format!("{} > {}", edge.client, edge.server))
            .map(|line| {
                line.replace("pod:", "")
                    .replace("external:", "")
                    .replace("unit:n1/", "")
            })
            .collect();
        lines.sort();
        lines
    };
    let named = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let shop = ask(|query| query.namespaces = vec!["shop".to_owned()]);
    assert_eq!(shop, named(&["job > db", "web > 192.0.2.7", "web > db"]));
    let world = ask(|query| {
        query.namespaces = vec!["shop".to_owned()];
        query.kinds = vec!["external".to_owned()];
    });
    assert_eq!(world, named(&["web > 192.0.2.7"]));
    let database = ask(|query| {
        query.ports = vec!["5000-5999".to_owned()];
        query.min_connections = 3;
    });
    assert_eq!(database, named(&["web > db"]));
    // Filters come first: the walk goes along what they keep.
    let walk = ask(|query| {
        query.ports = vec!["5432".to_owned()];
        query.focus = "pod:job".to_owned();
        query.hops = Some(2);
    });
    assert_eq!(walk, named(&["job > db", "web > db"]));
    let largest = ask(|query| {
        query.top = Some(1);
        query.top_by = "failures".to_owned();
    });
    assert_eq!(largest, named(&["cron > job", "other > other"]));
}

#[test]
fn rows_of_both_sides_are_sized_by_the_larger() {
    let mut world = shop();
    for (key, sum) in &mut world.window.rows {
        if key.side == Side::Server {
            sum.counters.bytes_sent = 7_000;
        }
    }
    let kept = |least: u64| {
        graph(&world, part(|query| query.min_bytes = least))
            .edges
            .len()
    };
    assert_eq!(
        [
            kept(0),
            kept(1),
            kept(10),
            kept(11),
            kept(7_900),
            kept(7_901)
        ],
        [4, 3, 3, 2, 1, 0]
    );
}
