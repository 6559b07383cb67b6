//! Services: what clients dial is not who answers.

use insight_proto::v1;

use crate::graph::testing::{Random, World, counts, edges, pod, refused, to};
use crate::model::{Dialed, Entity, Level, RowKey, Side};

const SERVICE: &str = "10.96.0.1";

fn masked(address: &str, source: &str) -> Dialed {
    Dialed::Translated {
        to: address.parse().unwrap(),
        source: Some(source.parse().unwrap()),
        scope: 0,
    }
}

fn pods() -> [Entity; 3] {
    [pod("n1", "a"), pod("n2", "b"), pod("n2", "c")]
}

/// `a` called the Service five times: `b` answered three times and `c` twice.
fn world() -> World {
    let [a, b, c] = pods();
    World::new()
        .client(&a, "10.0.0.1", SERVICE, 80, counts(5, 50, 500))
        .server(&b, "10.0.0.2", "10.0.0.1", 8080, counts(3, 300, 30))
        .server(&c, "10.0.0.3", "10.0.0.1", 8080, counts(2, 200, 20))
}

/// "client > server: dialed" of the edges that were dialed by another address.
fn dialed(graph: &v1::Graph) -> Vec<String> {
    let all = graph.edges.iter().filter(|edge| !edge.dialed.is_empty());
    let line = |edge: &v1::Edge| {
        let dialed = edge.dialed.join(" ");
        format!("{} > {}: {dialed}", edge.client, edge.server)
    };
    let mut lines: Vec<String> = all.map(line).collect();
    lines.sort();
    lines
}

#[test]
fn a_service_with_one_backend_is_one_edge_with_two_views() {
    let [a, b, _] = pods();
    let world = World::new()
        .client(&a, "10.0.0.1", SERVICE, 80, counts(3, 30, 300))
        .server(&b, "10.0.0.2", "10.0.0.1", 8080, counts(3, 300, 30))
        .dialed(&a, SERVICE, 80, &[to("10.0.0.2:8080")]);
    assert_eq!(world.edges(), ["pod:a > pod:b :8080 c 3/30/300 s 3/30/300"]);
    let graph = world.graph(Level::Workload);
    assert_eq!(dialed(&graph), ["pod:a > pod:b: 10.96.0.1:80"]);
}

#[test]
fn while_nobody_knows_where_it_leads_the_service_is_an_address() {
    assert_eq!(
        world().edges(),
        [
            "pod:a > external:10.96.0.1 :80 c 5/50/500 s -",
            "pod:a > pod:b :8080 c - s 3/30/300",
            "pod:a > pod:c :8080 c - s 2/20/200"
        ]
    );
}

#[test]
fn several_backends_tell_their_own_part_and_the_clients_sum_is_not_split() {
    let both = [to("10.0.0.2:8080"), to("10.0.0.3:8080")];
    let world = world().dialed(&pods()[0], SERVICE, 80, &both);
    assert_eq!(
        world.edges(),
        [
            "pod:a > pod:b :8080 c - s 3/30/300",
            "pod:a > pod:c :8080 c - s 2/20/200"
        ]
    );
    let expected = ["pod:a > pod:b: 10.96.0.1:80", "pod:a > pod:c: 10.96.0.1:80"];
    assert_eq!(dialed(&world.graph(Level::Workload)), expected);
    // Seen from far enough they are one, and nothing needs to be split.
    let nodes = world.graph(Level::Node);
    assert_eq!(
        edges(&nodes),
        ["node:n1 > node:n2 :8080 c 5/50/500 s 5/50/500"]
    );
    assert_eq!(dialed(&nodes), ["node:n1 > node:n2: 10.96.0.1:80"]);
}

#[test]
fn what_failed_at_an_unknown_backend_failed_at_the_service() {
    let [a, ..] = pods();
    let (both, mut world) = ([to("10.0.0.2:8080"), to("10.0.0.3:8080")], world());
    for (_, sum) in world.window.rows.iter_mut() {
        if sum.counters.opened == 5 {
            sum.counters.failed_refused = 4;
        }
    }
    let world = world.dialed(&a, SERVICE, 80, &both);
    assert_eq!(
        world.edges(),
        [
            "pod:a > external:10.96.0.1 :80 c failed 4 s -",
            "pod:a > pod:b :8080 c - s 3/30/300",
            "pod:a > pod:c :8080 c - s 2/20/200"
        ]
    );
    let graph = world.graph(Level::Workload);
    let view = |edge: &v1::Edge| edge.client_view.map(|view| view.connections_opened);
    assert_eq!(graph.edges.iter().filter_map(view).sum::<u64>(), 0);
}

#[test]
fn a_backend_that_nobody_watches_has_the_clients_view() {
    let a = pod("n1", "a");
    let world = World::new()
        .client(&a, "10.0.0.1", SERVICE, 443, counts(2, 20, 200))
        .client(&a, "10.0.0.1", SERVICE, 80, refused(3))
        .dialed(&a, SERVICE, 443, &[to("192.0.2.7:6443")]);
    assert_eq!(
        world.edges(),
        [
            "pod:a > external:10.96.0.1 :80 c failed 3 s -",
            "pod:a > external:192.0.2.7 :6443 c 2/20/200 s -"
        ]
    );
}

#[test]
fn what_no_backend_tells_stays_with_the_service() {
    let [a, b, _] = pods();
    let both = [to("10.0.0.2:8080"), to("192.0.2.7:8080")];
    let world = World::new()
        .client(&a, "10.0.0.1", SERVICE, 80, counts(5, 50, 500))
        .server(&b, "10.0.0.2", "10.0.0.1", 8080, counts(3, 300, 30))
        .dialed(&a, SERVICE, 80, &both);
    assert_eq!(
        world.edges(),
        [
            "pod:a > external:10.96.0.1 :80 c 2/20/200 s -",
            "pod:a > pod:b :8080 c - s 3/30/300",
        ]
    );
    let graph = world.graph(Level::Workload);
    assert_eq!(dialed(&graph), ["pod:a > pod:b: 10.96.0.1:80"]);
}

#[test]
fn a_backend_that_is_over_has_nothing_to_tell() {
    let all = [
        to("10.0.0.2:8080"),
        to("10.0.0.3:8080"),
        to("10.0.0.9:8080"),
    ];
    let world = world().dialed(&pods()[0], SERVICE, 80, &all);
    assert_eq!(
        world.edges(),
        [
            "pod:a > pod:b :8080 c - s 3/30/300",
            "pod:a > pod:c :8080 c - s 2/20/200"
        ]
    );
}

#[test]
fn a_proxy_in_the_clients_pod_is_met_there() {
    let [a, b, _] = pods();
    let proxy = crate::graph::testing::container("n1", "a", "proxy");
    let way = Dialed::Translated {
        to: "127.0.0.1:15001".parse().unwrap(),
        source: None,
        scope: crate::identity::scope("n1", 1),
    };
    let world = World::new()
        .client(&a, "10.0.0.1", SERVICE, 80, counts(3, 30, 300))
        .server(&proxy, "127.0.0.1", "10.0.0.1", 15_001, counts(3, 300, 30))
        .client(&proxy, "10.0.0.1", "10.0.0.2", 8080, counts(1, 40, 400))
        .server(&b, "10.0.0.2", "10.0.0.1", 8080, counts(1, 400, 40))
        .dialed(&a, SERVICE, 80, &[way]);
    let graph = world.graph(Level::Container);
    assert_eq!(
        edges(&graph),
        [
            "container:a1 > container:proxy :15001 c 3/30/300 s 3/30/300",
            "container:proxy > container:b1 :8080 c 1/40/400 s 1/40/400"
        ]
    );
    let expected = ["container:a1 > container:proxy: 10.96.0.1:80"];
    assert_eq!(dialed(&graph), expected);
}

#[test]
fn an_address_that_masks_the_client_names_nobody() {
    let [a, b, _] = pods();
    let way = masked("10.0.0.2:8080", "192.0.2.1");
    let world = World::new()
        .client(&a, "10.0.0.1", SERVICE, 80, counts(3, 30, 300))
        .server(&b, "10.0.0.2", "192.0.2.1", 8080, counts(7, 700, 70))
        .dialed(&a, SERVICE, 80, &[way]);
    // Whose the other four were is not known.
    assert_eq!(world.edges(), ["pod:a > pod:b :8080 c 3/30/300 s -"]);
}

#[test]
fn what_was_asked_for_at_the_socket_is_an_attribute() {
    let [a, b, _] = pods();
    let asked = |address: &str| Dialed::Asked(address.parse().unwrap());
    let world = World::new()
        .client(&a, "10.0.0.1", "10.0.0.2", 8080, counts(3, 30, 300))
        .server(&b, "10.0.0.2", "10.0.0.1", 8080, counts(3, 300, 30))
        .dialed(
            &a,
            "10.0.0.2",
            8080,
            &[asked("10.96.0.9:80"), asked("[fd00::1]:80")],
        );
    assert_eq!(world.edges(), ["pod:a > pod:b :8080 c 3/30/300 s 3/30/300"]);
    let graph = world.graph(Level::Workload);
    let expected = ["pod:a > pod:b: 10.96.0.9:80 [fd00::1]:80"];
    assert_eq!(dialed(&graph), expected);
}

#[test]
fn what_is_insights_own_stays_its_own_behind_a_service() {
    let [a, b, _] = pods();
    let world = World::new()
        .client(&a, "10.0.0.1", SERVICE, 7701, counts(3, 30, 300))
        .own()
        .server(&b, "10.0.0.2", "10.0.0.1", 17_701, counts(3, 300, 30))
        .dialed(&a, SERVICE, 7701, &[to("10.0.0.2:17701")]);
    let graph = world.graph(Level::Workload);
    assert_eq!(
        edges(&graph),
        ["pod:a > pod:b :17701 c 3/30/300 s 3/30/300"]
    );
    assert!(graph.edges[0].own);
}

/// Ways to anywhere, some of them where somebody was seen, for about half of the clients' rows.
fn translate_at_random(random: &mut Random, world: &mut World) {
    let mut keys: Vec<RowKey> = world.window.rows.keys().cloned().collect();
    keys.sort();
    for key in keys.into_iter().filter(|key| key.side == Side::Client) {
        for _ in 0..random.below(4) {
            let address = ["10.0.0.1", "10.0.0.2", "127.0.0.1", "198.51.100.7"];
            let mut pick = || address[random.below(4) as usize].parse().unwrap();
            let (to, source) = (pick(), pick());
            let one = Dialed::Translated {
                to: (to, 80 + random.below(2) as u16).into(),
                source: (random.below(4) == 0).then_some(source),
                scope: key.scope,
            };
            let known = world.window.dialed.entry(key.clone()).or_default();
            known.insert(one);
        }
    }
}

#[test]
fn whatever_is_translated_nothing_is_counted_twice_and_no_failure_is_lost() {
    let mut random = Random(0xd1a1);
    for _ in 0..400 {
        let mut world = random.world();
        translate_at_random(&mut random, &mut world);
        let sum = |side, count: fn(&crate::model::Counters) -> u64| -> u64 {
            let rows = world.window.rows.iter();
            rows.filter(|(key, _)| key.side == side)
                .map(|(_, sum)| count(&sum.counters))
                .sum()
        };
        for level in Level::ALL {
            let graph = world.graph(level);
            let clients = || graph.edges.iter().filter_map(|edge| edge.client_view);
            let servers = graph.edges.iter().filter_map(|edge| edge.server_view);
            let failed: u64 = clients().map(|view| view.connections_failed).sum();
            assert_eq!(failed, sum(Side::Client, |counters| counters.failed()));
            let opened: u64 = clients().map(|view| view.connections_opened).sum();
            assert!(opened <= sum(Side::Client, |counters| counters.opened));
            let opened: u64 = servers.map(|view| view.connections_opened).sum();
            assert!(opened <= sum(Side::Server, |counters| counters.opened));
        }
    }
}
