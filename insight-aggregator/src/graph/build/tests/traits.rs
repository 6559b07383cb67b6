//! What connections are beside their ends, and leaving some out.

use crate::graph::testing::{World, counts, edges, pod, query, unit};
use crate::graph::{Traits, build};
use crate::model::Level;

const OWN: Traits = Traits {
    loopback: false,
    own: true,
};
const LOOPBACK: Traits = Traits {
    loopback: true,
    own: false,
};

/// An agent that reports, whose own rows come first; a pod that is probed, and works; a scrape of the agent.
fn world() -> World {
    let (agent, aggregator) = (unit("n1", "agent"), unit("n2", "aggregator"));
    World::new()
        .client(&agent, "10.0.0.1", "10.0.0.2", 7701, counts(1, 9, 1))
        .server(&agent, "10.0.0.1", "10.0.0.5", 7702, counts(7, 1, 1))
        .own()
        .server(&aggregator, "10.0.0.2", "10.0.0.1", 7701, counts(1, 1, 9))
        .client(
            &pod("n1", "p"),
            "127.0.0.1",
            "127.0.0.1",
            80,
            counts(3, 3, 3),
        )
        .server(
            &pod("n1", "p"),
            "127.0.0.1",
            "127.0.0.1",
            80,
            counts(3, 3, 3),
        )
        .client(&pod("n1", "p"), "10.1.0.1", "10.1.0.1", 81, counts(1, 1, 1))
        .client(&pod("n1", "p"), "10.1.0.1", "10.1.0.2", 80, counts(2, 2, 2))
}

fn without(world: &World, without: Traits) -> Vec<String> {
    let mut query = query(Level::Workload);
    query.part.without = without;
    edges(&build(&world.window, &query, &world.index).unwrap())
}

const REPORT: &str = "unit:n1/agent > unit:n2/aggregator :7701 c 1/9/1 s 1/9/1";
const SCRAPE: &str = "external:10.0.0.5 > unit:n1/agent :7702 c - s 7/1/1";
const PROBE: &str = "pod:p > pod:p :80 c 3/3/3 s 3/3/3";
const ITSELF: &str = "pod:p > pod:p :81 c 1/1/1 s -";
const WORK: &str = "pod:p > external:10.1.0.2 :80 c 2/2/2 s -";

#[test]
fn what_is_left_out_is_left_out_at_both_ends() {
    let world = world();
    let all = [SCRAPE, WORK, PROBE, ITSELF, REPORT];
    assert_eq!(without(&world, Traits::default()), all);
    assert_eq!(without(&world, OWN), [WORK, PROBE, ITSELF]);
    assert_eq!(without(&world, LOOPBACK), [SCRAPE, WORK, REPORT]);
    let both = Traits {
        loopback: true,
        own: true,
    };
    assert_eq!(without(&world, both), [WORK]);
}

#[test]
fn an_edge_is_what_all_of_it_is() {
    let graph = world().graph(Level::Workload);
    let traits = |port: u32, client: &str| {
        let edge = graph.edges.iter();
        let mut edge = edge.filter(|edge| edge.port == port && edge.client == client);
        edge.next().map(|edge| (edge.loopback, edge.own))
    };
    assert_eq!(traits(7701, "unit:n1/agent"), Some((false, true)));
    assert_eq!(traits(7702, "external:10.0.0.5"), Some((false, true)));
    assert_eq!(traits(81, "pod:p"), Some((true, false)));
    // At the level of nodes the probes and the reports are among other calls of the host to itself.
    let world = World::new()
        .client(&unit("n1", "a"), "::1", "::1", 80, counts(1, 1, 1))
        .own()
        .client(
            &unit("n1", "b"),
            "10.0.0.1",
            "10.0.0.2",
            80,
            counts(1, 1, 1),
        )
        .server(
            &unit("n1", "c"),
            "10.0.0.2",
            "10.0.0.1",
            80,
            counts(1, 1, 1),
        );
    let graph = world.graph(Level::Node);
    assert_eq!(edges(&graph), ["node:n1 > node:n1 :80 c 2/2/2 s 1/1/1"]);
    assert!(!graph.edges[0].loopback && !graph.edges[0].own);
}
