//! Addresses that several ends have, and ports that nobody answers at.

use crate::graph::testing::{World, container, counts, edges, pod, refused, unit};
use crate::model::Level;

#[test]
fn clients_that_share_an_address_keep_their_own_counts() {
    // Two units of a host, or two pods of the host's network: the server sees one address.
    let world = World::new()
        .client(
            &unit("n1", "a"),
            "10.0.0.1",
            "10.0.0.2",
            80,
            counts(1, 10, 20),
        )
        .client(
            &unit("n1", "b"),
            "10.0.0.1",
            "10.0.0.2",
            80,
            counts(2, 30, 40),
        )
        .server(
            &pod("n2", "s"),
            "10.0.0.2",
            "10.0.0.1",
            80,
            counts(3, 60, 40),
        );
    assert_eq!(
        world.edges(),
        [
            "unit:n1/a > pod:s :80 c 1/10/20 s -",
            "unit:n1/b > pod:s :80 c 2/30/40 s -"
        ]
    );
    assert_eq!(
        edges(&world.graph(Level::Node)),
        ["node:n1 > node:n2 :80 c 3/40/60 s 3/40/60"]
    );
}

#[test]
fn servers_that_share_a_socket_address_are_ambiguous() {
    let world = World::new()
        .client(&pod("n1", "a"), "10.0.0.1", "10.0.0.2", 80, counts(3, 3, 3))
        .server(&pod("n2", "b"), "10.0.0.2", "10.0.0.1", 80, counts(1, 1, 1))
        .server(&pod("n2", "c"), "10.0.0.2", "10.0.0.1", 80, counts(2, 2, 2));
    assert_eq!(
        world.edges(),
        [
            "pod:a > ambiguous:10.0.0.2:80 :80 c 3/3/3 s -",
            "pod:a > pod:b :80 c - s 1/1/1",
            "pod:a > pod:c :80 c - s 2/2/2",
        ],
        "an address that one pod had after another"
    );
    let graph = world.graph(Level::Workload);
    let node = &graph.nodes[0];
    assert_eq!(
        (node.id.as_str(), node.kind.as_str()),
        ("ambiguous:10.0.0.2:80", "ambiguous")
    );
    assert_eq!(node.labels["candidates"], "pod:b, pod:c");
}

#[test]
fn a_restarted_container_is_the_same_pod() {
    let world = World::new()
        .client(&pod("n1", "a"), "10.0.0.1", "10.0.0.2", 80, counts(3, 3, 3))
        .server(
            &container("n2", "s", "old"),
            "10.0.0.2",
            "10.0.0.1",
            80,
            counts(1, 1, 1),
        )
        .server(
            &container("n2", "s", "new"),
            "10.0.0.2",
            "10.0.0.1",
            80,
            counts(2, 2, 2),
        );
    assert_eq!(world.edges(), ["pod:a > pod:s :80 c 3/3/3 s 3/3/3"]);
    assert_eq!(
        edges(&world.graph(Level::Container)),
        [
            "container:a1 > ambiguous:10.0.0.2:80 :80 c 3/3/3 s -",
            "container:a1 > container:new :80 c - s 2/2/2",
            "container:a1 > container:old :80 c - s 1/1/1",
        ]
    );
}

#[test]
fn a_listener_is_known_from_its_other_callers() {
    // The server's own row for this client is late, or was lost.
    let world = World::new()
        .client(&pod("n1", "a"), "10.0.0.1", "10.0.0.2", 80, counts(1, 1, 1))
        .server(
            &unit("n2", "web"),
            "10.0.0.2",
            "10.0.0.9",
            80,
            counts(2, 2, 2),
        )
        .server(
            &unit("n2", "db"),
            "10.0.0.2",
            "10.0.0.9",
            81,
            counts(3, 3, 3),
        );
    assert_eq!(world.edges()[2], "pod:a > unit:n2/web :80 c 1/1/1 s -");
    let world = world.server(
        &unit("n2", "web2"),
        "10.0.0.2",
        "10.0.0.8",
        80,
        counts(4, 4, 4),
    );
    assert_eq!(
        world.edges()[3],
        "pod:a > ambiguous:10.0.0.2:80 :80 c 1/1/1 s -"
    );
}

#[test]
fn a_refused_connect_names_who_has_the_address() {
    let world = World::new()
        .client(&pod("n1", "a"), "10.0.0.1", "10.0.0.2", 81, refused(4))
        .client(
            &pod("n2", "b"),
            "10.0.0.2",
            "192.0.2.7",
            443,
            counts(1, 1, 1),
        );
    assert_eq!(
        world.edges(),
        [
            "pod:a > pod:b :81 c failed 4 s -",
            "pod:b > external:192.0.2.7 :443 c 1/1/1 s -"
        ]
    );
    let graph = world.graph(Level::Workload);
    let failed = graph.edges.iter().find(|edge| edge.port == 81).unwrap();
    let view = failed.client_view.unwrap();
    assert_eq!(
        (
            view.bytes_sent,
            view.bytes_received,
            view.connections_opened
        ),
        (0, 0, 0)
    );
    assert_eq!(view.failures.unwrap().refused, 4);
}

#[test]
fn a_refused_connect_to_oneself_stays_in_the_pod_or_on_the_host() {
    let world = World::new()
        .client(&pod("n1", "a"), "10.0.0.1", "10.0.0.1", 81, refused(1))
        .client(&pod("n1", "b"), "127.0.0.1", "127.0.0.1", 82, refused(2))
        .client(&unit("n1", "x"), "10.0.0.9", "10.0.0.9", 83, refused(3))
        .client(
            &unit("n1", "y"),
            "10.0.0.9",
            "192.0.2.7",
            443,
            counts(1, 1, 1),
        );
    let by_workload = [
        "pod:a > pod:a :81 c failed 1 s -",
        "pod:b > pod:b :82 c failed 2 s -",
        "unit:n1/x > node:n1 :83 c failed 3 s -",
        "unit:n1/y > external:192.0.2.7 :443 c 1/1/1 s -",
    ];
    assert_eq!(world.edges(), by_workload);
    assert_eq!(
        edges(&world.graph(Level::Container)),
        [
            "container:a1 > pod:a :81 c failed 1 s -",
            "container:b1 > pod:b :82 c failed 2 s -",
            by_workload[2],
            by_workload[3],
        ],
        "which container of the pod is not known"
    );
    assert_eq!(
        edges(&world.graph(Level::Node)),
        [
            "node:n1 > external:192.0.2.7 :443 c 1/1/1 s -",
            "node:n1 > node:n1 :81 c failed 1 s -",
            "node:n1 > node:n1 :82 c failed 2 s -",
            "node:n1 > node:n1 :83 c failed 3 s -",
        ]
    );
}

#[test]
fn a_pod_on_the_hosts_network_meant_the_host() {
    let on_host = container("n1", "h", "h1");
    let world = World::new()
        .client(&on_host, "127.0.0.1", "127.0.0.1", 81, refused(1))
        .client(&on_host, "10.0.0.9", "10.0.0.9", 82, refused(2))
        .client(&container("n1", "h", "h2"), "::1", "::1", 84, refused(4));
    let alone = [
        "pod:h > pod:h :81 c failed 1 s -",
        "pod:h > pod:h :82 c failed 2 s -",
        "pod:h > pod:h :84 c failed 4 s -",
    ];
    assert_eq!(world.edges(), alone);
    let world = world
        .server(
            &unit("n1", "x"),
            "127.0.0.1",
            "127.0.0.1",
            90,
            counts(1, 1, 1),
        )
        .server(
            &unit("n1", "x"),
            "10.0.0.9",
            "192.0.2.7",
            22,
            counts(1, 1, 1),
        );
    assert_eq!(
        world.edges()[2..],
        [
            "pod:h > node:n1 :81 c failed 1 s -",
            "pod:h > node:n1 :82 c failed 2 s -",
            "pod:h > node:n1 :84 c failed 4 s -",
        ]
    );
}

#[test]
fn an_address_of_several_is_ambiguous() {
    let world = World::new()
        .client(&pod("n1", "a"), "10.0.0.1", "10.0.0.2", 81, refused(4))
        .client(
            &unit("n2", "x"),
            "10.0.0.2",
            "192.0.2.7",
            443,
            counts(1, 1, 1),
        )
        .server(
            &unit("n2", "y"),
            "10.0.0.2",
            "192.0.2.7",
            22,
            counts(1, 1, 1),
        );
    assert_eq!(
        world.edges()[1],
        "pod:a > ambiguous:10.0.0.2 :81 c failed 4 s -"
    );
    assert_eq!(
        edges(&world.graph(Level::Node))[1],
        "node:n1 > node:n2 :81 c failed 4 s -"
    );
}
