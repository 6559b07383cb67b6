//! Who is at the other end.

use crate::graph::testing::{World, counts, edges, pod, refused, unit};
use crate::model::Level;

#[test]
fn two_pods_are_one_edge_with_two_views() {
    let world = World::new()
        .client(
            &pod("n1", "a"),
            "10.0.0.1",
            "10.0.0.2",
            80,
            counts(3, 100, 2000),
        )
        .server(
            &pod("n2", "b"),
            "10.0.0.2",
            "10.0.0.1",
            80,
            counts(3, 2000, 100),
        );
    assert_eq!(
        world.edges(),
        ["pod:a > pod:b :80 c 3/100/2000 s 3/100/2000"]
    );
}

#[test]
fn ports_are_edges_of_their_own() {
    let (a, b) = (pod("n1", "a"), pod("n1", "b"));
    let world = World::new()
        .client(&a, "10.0.0.1", "10.0.0.2", 80, counts(1, 1, 1))
        .client(&a, "10.0.0.1", "10.0.0.2", 81, counts(2, 2, 2))
        .server(&b, "10.0.0.2", "10.0.0.1", 81, counts(2, 2, 2))
        .server(&a, "10.0.0.1", "10.0.0.2", 80, counts(9, 9, 9));
    assert_eq!(
        world.edges(),
        [
            "pod:a > pod:b :80 c 1/1/1 s -",
            "pod:a > pod:b :81 c 2/2/2 s 2/2/2",
            "pod:b > pod:a :80 c - s 9/9/9"
        ]
    );
}

#[test]
fn an_end_that_no_agent_watches_is_external() {
    let world = World::new()
        .client(
            &pod("n1", "a"),
            "10.0.0.1",
            "192.0.2.7",
            443,
            counts(1, 10, 20),
        )
        .server(
            &pod("n1", "a"),
            "10.0.0.1",
            "2001:db8::7",
            80,
            counts(2, 30, 40),
        );
    assert_eq!(
        world.edges(),
        [
            "external:2001:db8::7 > pod:a :80 c - s 2/40/30",
            "pod:a > external:192.0.2.7 :443 c 1/10/20 s -"
        ]
    );
    let graph = world.graph(Level::Node);
    let external = graph
        .nodes
        .iter()
        .find(|node| node.id == "external:192.0.2.7")
        .unwrap();
    assert_eq!(
        (
            external.kind.as_str(),
            external.name.as_str(),
            external.node.as_str()
        ),
        ("external", "192.0.2.7", "")
    );
    assert_eq!(external.labels["address"], "192.0.2.7");
}

#[test]
fn loopback_meets_on_its_own_node_only() {
    let world = World::new()
        .client(
            &unit("n1", "a"),
            "127.0.0.1",
            "127.0.0.1",
            80,
            counts(1, 1, 2),
        )
        .server(
            &unit("n1", "b"),
            "127.0.0.1",
            "127.0.0.1",
            80,
            counts(1, 2, 1),
        )
        .client(
            &unit("n2", "a"),
            "127.0.0.1",
            "127.0.0.1",
            80,
            counts(3, 3, 4),
        )
        .server(
            &unit("n2", "c"),
            "127.0.0.1",
            "127.0.0.1",
            80,
            counts(3, 4, 3),
        );
    assert_eq!(
        world.edges(),
        [
            "unit:n1/a > unit:n1/b :80 c 1/1/2 s 1/1/2",
            "unit:n2/a > unit:n2/c :80 c 3/3/4 s 3/3/4"
        ]
    );
}

#[test]
fn loopback_without_the_other_end_is_the_host() {
    let world = World::new()
        .client(&unit("n1", "a"), "127.0.0.1", "127.0.0.1", 80, refused(2))
        .client(
            &unit("n2", "a"),
            "127.0.0.1",
            "127.0.0.1",
            80,
            counts(1, 1, 1),
        )
        .server(&unit("n2", "a"), "::1", "::1", 80, counts(5, 5, 5));
    assert_eq!(
        world.edges(),
        [
            "node:n2 > unit:n2/a :80 c - s 5/5/5",
            "unit:n1/a > node:n1 :80 c failed 2 s -",
            "unit:n2/a > node:n2 :80 c 1/1/1 s -",
        ]
    );
    let node = &world.graph(Level::Workload).nodes[0];
    assert_eq!(
        (node.id.as_str(), node.kind.as_str(), node.name.as_str()),
        ("node:n1", "node", "n1")
    );
    assert_eq!(
        edges(&world.graph(Level::Node)),
        [
            "node:n1 > node:n1 :80 c failed 2 s -",
            "node:n2 > node:n2 :80 c 1/1/1 s 5/5/5"
        ],
        "which node a loopback is on is known"
    );
}

#[test]
fn a_caller_is_known_by_its_address() {
    // It called a service's address: its own row names that, and the pair does not match.
    let world = World::new()
        .client(
            &pod("n1", "a"),
            "10.0.0.1",
            "10.96.0.1",
            80,
            counts(1, 10, 20),
        )
        .server(
            &pod("n2", "b"),
            "10.0.0.2",
            "10.0.0.1",
            8080,
            counts(1, 20, 10),
        );
    assert_eq!(
        world.edges(),
        [
            "pod:a > external:10.96.0.1 :80 c 1/10/20 s -",
            "pod:a > pod:b :8080 c - s 1/10/20"
        ]
    );
}

#[test]
fn a_link_local_cache_meets_its_callers() {
    let world = World::new()
        .client(
            &pod("n1", "a"),
            "10.0.0.1",
            "169.254.20.10",
            53,
            counts(1, 10, 20),
        )
        .server(
            &unit("n1", "cache"),
            "169.254.20.10",
            "10.0.0.1",
            53,
            counts(1, 20, 10),
        )
        .client(
            &pod("n2", "b"),
            "10.0.0.2",
            "169.254.20.10",
            53,
            counts(2, 1, 1),
        );
    assert_eq!(
        world.edges(),
        [
            "pod:a > unit:n1/cache :53 c 1/10/20 s 1/10/20",
            "pod:b > external:n2/169.254.20.10 :53 c 2/1/1 s -"
        ]
    );
}

#[test]
fn nothing_happened_is_no_edge() {
    let idle = crate::model::Counters {
        active: 1,
        ..counts(0, 0, 0)
    };
    let (a, b) = (pod("n1", "a"), pod("n2", "b"));
    let world = World::new().client(&a, "10.0.0.1", "10.0.0.2", 80, counts(0, 0, 0));
    assert!(world.graph(Level::Workload).nodes.is_empty());
    let world = world.server(&b, "10.0.0.2", "10.0.0.1", 81, idle);
    assert_eq!(
        world.edges(),
        ["pod:a > pod:b :81 c - s 0/0/0"],
        "an open connection is one"
    );
}

#[test]
fn an_entity_that_is_not_known_still_counts() {
    let mut world = World::new().client(
        &unit("n1", "a"),
        "10.0.0.1",
        "192.0.2.7",
        80,
        counts(1, 2, 3),
    );
    world.window.entities.clear();
    for level in Level::ALL {
        let lines = edges(&world.graph(level));
        assert_eq!(lines, ["unit:n1/a > external:192.0.2.7 :80 c 1/2/3 s -"]);
    }
}

#[test]
fn one_end_that_knows_who_began_is_enough() {
    let (a, b) = (pod("n1", "a"), pod("n2", "b"));
    let (one, other) = ("10.0.0.1", "10.0.0.2");
    let unseen = World::new()
        .server(&b, other, one, 53, counts(1, 20, 10))
        .by_nobody();
    for (world, is_unknown) in [
        (
            unseen.clone().client(&a, one, other, 53, counts(1, 10, 20)),
            false,
        ),
        (
            unseen
                .client(&a, one, other, 53, counts(1, 10, 20))
                .by_nobody(),
            true,
        ),
    ] {
        assert_eq!(world.edges(), ["pod:a > pod:b :53 c 1/10/20 s 1/10/20"]);
        let edge = &world.graph(Level::Workload).edges[0];
        assert_eq!(edge.role_unknown, is_unknown);
    }
}
