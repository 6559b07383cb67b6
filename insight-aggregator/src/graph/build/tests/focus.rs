//! A part of the graph.

use insight_proto::v1;

use crate::graph::testing::{World, container, counts, edges, pod, query, unit};
use crate::graph::{Direction, Focus, QueryError, build};
use crate::model::Level;

/// a > b > c > d, and e > c.
fn chain() -> World {
    let address = |pod: &str| format!("10.0.0.{}", pod.as_bytes()[0]);
    [("a", "b"), ("b", "c"), ("c", "d"), ("e", "c")]
        .into_iter()
        .fold(World::new(), |world, (from, to)| {
            world
                .client(
                    &pod("n1", from),
                    &address(from),
                    &address(to),
                    80,
                    counts(1, 1, 1),
                )
                .server(
                    &pod("n1", to),
                    &address(to),
                    &address(from),
                    80,
                    counts(1, 1, 1),
                )
        })
}

fn around(world: &World, focus: &str, hops: u32) -> Result<v1::Graph, QueryError> {
    towards(world, focus, hops, Direction::Both)
}

fn towards(
    world: &World,
    focus: &str,
    hops: u32,
    direction: Direction,
) -> Result<v1::Graph, QueryError> {
    let mut query = query(Level::Workload);
    query.part.focus = Some(Focus {
        node: focus.to_owned(),
        hops,
        direction,
    });
    build(&world.window, &query, &world.index)
}

fn ways(graph: &v1::Graph) -> Vec<String> {
    edges(graph)
        .iter()
        .map(|line| line.replace("pod:", "").chars().take(5).collect())
        .collect()
}

#[test]
fn a_direction_is_kept_at_every_hop() {
    let world = chain();
    for (focus, hops, inbound, outbound) in [
        ("pod:b", 0, &[][..], &[][..]),
        ("pod:b", 1, &["a > b"], &["b > c"]),
        ("pod:b", 2, &["a > b"], &["b > c", "c > d"]),
        ("pod:c", 1, &["b > c", "e > c"], &["c > d"]),
        ("pod:c", 2, &["a > b", "b > c", "e > c"], &["c > d"]),
        ("pod:d", 2, &["b > c", "c > d", "e > c"], &[]),
        ("pod:d", 3, &["a > b", "b > c", "c > d", "e > c"], &[]),
        ("pod:e", 16, &[], &["c > d", "e > c"]),
    ] {
        let found = |direction| ways(&towards(&world, focus, hops, direction).unwrap());
        assert_eq!(found(Direction::Inbound), inbound, "{focus} {hops}");
        assert_eq!(found(Direction::Outbound), outbound, "{focus} {hops}");
    }
}

#[test]
fn hops_go_both_ways() {
    let world = chain();
    for (focus, hops, expected) in [
        ("pod:b", 0, &[][..]),
        ("pod:b", 1, &["a > b", "b > c"]),
        ("pod:b", 2, &["a > b", "b > c", "c > d", "e > c"]),
        ("pod:d", 1, &["c > d"]),
        ("pod:d", 2, &["b > c", "c > d", "e > c"]),
        ("pod:d", 16, &["a > b", "b > c", "c > d", "e > c"]),
    ] {
        let graph = around(&world, focus, hops).unwrap();
        assert_eq!(ways(&graph), expected, "{focus} {hops}");
        assert!(
            graph.nodes.iter().any(|node| node.id == focus),
            "the focus is there"
        );
        for edge in &graph.edges {
            for end in [&edge.client, &edge.server] {
                assert!(graph.nodes.iter().any(|node| node.id == *end));
            }
        }
    }
    assert_eq!(around(&world, "pod:d", 1).unwrap().nodes.len(), 2);
}

#[test]
fn a_focus_is_an_id_a_name_or_the_start_of_an_id() {
    let world = chain().client(
        &unit("n1", "web.service"),
        "10.0.1.1",
        "10.0.1.2",
        80,
        counts(1, 1, 1),
    );
    for focus in ["unit:n1/web.service", "web.service", "unit:", "unit:n1/w"] {
        let graph = around(&world, focus, 1).unwrap();
        assert_eq!(
            edges(&graph),
            ["unit:n1/web.service > external:10.0.1.2 :80 c 1/1/1 s -"],
            "{focus}"
        );
    }
    assert_eq!(
        ways(&around(&world, "container:d1", 1).unwrap()),
        ["c > d"],
        "a container stands for its pod"
    );
}

#[test]
fn a_focus_without_edges_is_alone() {
    let mut world = chain();
    let idle = unit("n1", "idle.service");
    world.window.entities.insert(idle.id.clone(), idle);
    let graph = around(&world, "idle.service", 1).unwrap();
    assert_eq!((graph.nodes.len(), graph.edges.len()), (1, 0));
}

#[test]
fn a_focus_that_is_not_clear_says_what_is() {
    let error = around(&chain(), "pod:", 1).unwrap_err();
    assert_eq!(error.field, "focus");
    assert_eq!(error.message, "several ids start with \"pod:\": 5 of them");
    assert!(
        error.hint.contains("focus=pod:a or focus=pod:b"),
        "{}",
        error.hint
    );

    let world = World::new()
        .client(
            &unit("n1", "web"),
            "10.0.1.1",
            "10.0.1.2",
            80,
            counts(1, 1, 1),
        )
        .client(
            &unit("n2", "web"),
            "10.0.1.2",
            "10.0.1.1",
            80,
            counts(1, 1, 1),
        );
    let error = around(&world, "web", 1).unwrap_err();
    assert_eq!(error.message, "several nodes are named \"web\": 2 of them");
    assert!(error.hint.contains("unit:n1/web") && error.hint.contains("unit:n2/web"));
}

#[test]
fn a_focus_that_is_not_there_gets_close_names() {
    let world = (0..9).fold(chain(), |world, number| {
        let address = format!("10.0.1.{number}");
        world.client(
            &unit("n1", &format!("nginx-{number}.service")),
            &address,
            "192.0.2.7",
            80,
            counts(1, 1, 1),
        )
    });
    let error = around(&world, "ngnix-7.service", 1).unwrap_err();
    assert_eq!(error.field, "focus");
    assert!(error.message.contains("ngnix-7.service"));
    assert!(
        error
            .hint
            .starts_with("close to it: nginx-7.service (unit:n1/nginx-7.service), "),
        "{}",
        error.hint
    );
    assert_eq!(error.hint.matches("(unit:").count(), 5);

    let error = around(&world, "Nginx-3", 1).unwrap_err();
    assert!(error.hint.contains("nginx-3.service"), "{}", error.hint);

    let error = around(&world, "zzz", 1).unwrap_err();
    assert!(error.hint.contains("leave `focus` out"), "{}", error.hint);
    assert!(around(&World::new(), "x", 1).is_err());
}

#[test]
fn a_name_of_one_pods_containers_is_not_a_question() {
    let world = World::new()
        .client(
            &container("n1", "a", "a1"),
            "10.0.0.1",
            "192.0.2.7",
            80,
            counts(1, 1, 1),
        )
        .client(
            &container("n1", "a", "a2"),
            "10.0.0.1",
            "192.0.2.7",
            81,
            counts(1, 1, 1),
        );
    assert_eq!(around(&world, "pod a…", 1).unwrap().edges.len(), 2);
}
