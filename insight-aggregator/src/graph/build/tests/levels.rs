//! What nodes and edges say.

use crate::graph::testing::{START, World, container, counts, pod, unit};
use crate::model::{Counters, Entity, Level, Metrics};

fn world() -> World {
    World::new()
        .client(
            &container("n1", "a", "a1"),
            "10.0.0.1",
            "10.0.0.2",
            80,
            counts(1, 10, 20),
        )
        .client(
            &container("n1", "a", "a2"),
            "10.0.0.1",
            "10.0.0.2",
            80,
            counts(2, 30, 40),
        )
        .server(
            &pod("n2", "b"),
            "10.0.0.2",
            "10.0.0.1",
            80,
            counts(3, 60, 40),
        )
}

#[test]
fn a_pod_says_what_its_containers_share() {
    let graph = world().graph(Level::Workload);
    let node = &graph.nodes[0];
    assert_eq!(
        (node.id.as_str(), node.kind.as_str(), node.name.as_str()),
        ("pod:a", "pod", "pod a…")
    );
    assert_eq!(node.node, "n1");
    let mut labels: Vec<_> = node
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    labels.sort();
    assert_eq!(labels, ["pod_uid=a", "qos=burstable"]);

    let graph = world().graph(Level::Container);
    let node = &graph.nodes[0];
    assert_eq!(
        (node.id.as_str(), node.kind.as_str()),
        ("container:a1", "container")
    );
    assert_eq!(node.labels["cgroup"], "/kubepods/a/a1");

    let graph = world().graph(Level::Node);
    let node = &graph.nodes[0];
    assert_eq!(
        (node.id.as_str(), node.kind.as_str(), node.name.as_str()),
        ("node:n1", "node", "n1")
    );
    assert!(node.labels.is_empty());
    assert_eq!(graph.level, "node");

    let of_unit = World::new().client(
        &unit("n1", "x"),
        "10.0.0.1",
        "192.0.2.7",
        80,
        counts(1, 1, 1),
    );
    let graph = of_unit.graph(Level::Workload);
    assert_eq!(graph.nodes[1].labels["unit"], "x");
    assert_eq!(graph.nodes[1].labels["cgroup"], "/system.slice/x");
}

#[test]
fn an_edge_says_when_and_how() {
    let mut world = world();
    for (key, sum) in world.window.rows.iter_mut() {
        if &*key.local == "container:a2" {
            sum.first_seen = START - 2000;
            sum.last_seen = START + 2000;
        }
        if &*key.local == "container:b1" {
            sum.last_seen = START + 60_000;
        }
        sum.counters = Counters {
            closed: 1,
            failed_timed_out: 2,
            failed_unreachable: 3,
            failed_other: 4,
            active: 5,
            retransmits: 6,
            ..sum.counters
        };
    }
    let edge = &world.graph(Level::Workload).edges[0];
    let ms = |at: &Option<prost_types::Timestamp>| {
        at.map(|at| at.seconds * 1000 + i64::from(at.nanos) / 1_000_000)
    };
    assert_eq!(ms(&edge.first_seen), Some(START - 2000));
    assert_eq!(ms(&edge.last_seen), Some(START + 60_000));
    let (client, server) = (edge.client_view.unwrap(), edge.server_view.unwrap());
    assert_eq!(
        (
            client.connections_closed,
            client.connections_failed,
            client.active,
            client.retransmits
        ),
        (2, 18, 10, 12)
    );
    assert_eq!(
        (
            server.connections_closed,
            server.connections_failed,
            server.active,
            server.retransmits
        ),
        (1, 9, 5, 6)
    );
    let failures = client.failures.unwrap();
    assert_eq!(
        (
            failures.refused,
            failures.timed_out,
            failures.unreachable,
            failures.other
        ),
        (0, 4, 6, 8)
    );
}

#[test]
fn an_edges_id_is_the_same_everywhere() {
    // Readers keep these ids in links: a change of the hash is a change of the API.
    let edge = &world().graph(Level::Workload).edges[0];
    assert_eq!(edge.id, "319e1931c61d6e68");
    assert_ne!(edge.id, world().graph(Level::Container).edges[0].id);
}

fn with_metrics(samples: &[(&Entity, Metrics)]) -> World {
    let mut world = world();
    for (entity, metrics) in samples {
        world
            .window
            .entities
            .insert(entity.id.clone(), (*entity).clone());
        world.window.metrics.insert(entity.id.clone(), *metrics);
    }
    world
}

fn sample(cpu_seconds: u64, limit: Option<u64>, memory: u64) -> Metrics {
    Metrics {
        at: START + i64::try_from(cpu_seconds).unwrap(),
        cpu_usage_ns: Some(cpu_seconds * 1_000_000_000),
        cpu_limit_millicores: limit,
        memory_working_set_bytes: Some(memory),
        run_delay_ns: Some(cpu_seconds * 250_000_000),
        runs: Some(10 * cpu_seconds),
        ..Metrics::default()
    }
}

#[test]
fn a_pods_sample_is_its_own_or_its_containers_together() {
    let (a1, a2) = (container("n1", "a", "a1"), container("n1", "a", "a2"));
    let own = container("n1", "a", "");
    assert_eq!(&*own.id, "pod:a");
    let parts = [
        (&a1, sample(1, Some(500), 10)),
        (&a2, sample(2, Some(250), 20)),
    ];
    let of = |world: &World, level| world.graph(level).nodes[0].metrics;

    let sum = of(&with_metrics(&parts), Level::Workload).unwrap();
    assert_eq!(
        (sum.cpu_usage_seconds_total, sum.cpu_limit_cores),
        (Some(3.0), Some(0.75))
    );
    assert_eq!(
        (sum.memory_working_set_bytes, sum.memory_limit_bytes),
        (Some(30), None)
    );
    assert_eq!(
        (sum.cpu_run_delay_seconds_total, sum.cpu_runs_total),
        (Some(0.75), Some(30))
    );
    assert_eq!(sum.at.unwrap().nanos, 2_000_000);

    let first = of(&with_metrics(&parts), Level::Container).unwrap();
    assert_eq!(first.memory_working_set_bytes, Some(10));

    let unlimited = [parts[0], (&a2, sample(2, None, 20))];
    assert_eq!(
        of(&with_metrics(&unlimited), Level::Workload)
            .unwrap()
            .cpu_limit_cores,
        None
    );

    let whole = of(
        &with_metrics(&[parts[0], parts[1], (&own, sample(9, None, 99))]),
        Level::Workload,
    )
    .unwrap();
    assert_eq!(whole.memory_working_set_bytes, Some(99));
    assert_eq!(of(&world(), Level::Workload), None);
}

#[test]
fn a_nodes_sample_is_its_root_cgroups() {
    let root = crate::identity::entity(
        &insight_proto::v1::Owner {
            path: "/".to_owned(),
            ..Default::default()
        },
        "n1",
    );
    let a1 = container("n1", "a", "a1");
    let world = with_metrics(&[(&a1, sample(1, None, 10)), (&root, sample(2, None, 77))]);
    let sample = world.graph(Level::Node).nodes[0].metrics.unwrap();
    assert_eq!(sample.memory_working_set_bytes, Some(77));
}
