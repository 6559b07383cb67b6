//! Namespaces, labels and kinds that Kubernetes knows, at each level.

use super::super::kubernetes::{shop, traffic};
use super::*;
use crate::graph::testing::edges;

/// `client` calls Service `web`, whose two pods are in two zones; what is outside calls `client`.
fn world() -> World {
    let client = crate::graph::testing::container("n1", "uid-client-1", "client-11");
    traffic(shop()).server(&client, "10.0.1.1", "192.0.2.7", 443, counts(1, 1, 1))
}

/// How many edges of a level such a question keeps, of how many.
fn kept(level: Level, ask: impl Fn(&mut v1::GraphQuery)) -> [usize; 2] {
    let part = part(|query| {
        query.level = level.as_str().to_owned();
        ask(query);
    });
    let world = world();
    [graph(&world, part), world.graph(level)].map(|graph| graph.edges.len())
}

#[test]
fn labels_are_those_of_the_level() {
    let by = |level, selector: &str| kept(level, |query| query.selector = selector.to_owned());
    for (level, selector, expected) in [
        (Level::Pod, "app=shop", [3, 3]),
        (Level::Pod, "app in (shop),pod-template-hash", [3, 3]),
        (Level::Pod, "app!=shop", [0, 3]),
        (Level::Container, "app=shop", [3, 3]),
        (Level::Workload, "app=shop", [2, 2]),
        // Which generation a pod is of is nothing of its Deployment's.
        (Level::Workload, "pod-template-hash", [0, 2]),
        (Level::Workload, "!pod-template-hash", [2, 2]),
        // A Service and a namespace have labels of their own, and here none; the caller is a Deployment still.
        (Level::Service, "app=shop", [2, 2]),
        (Level::Namespace, "app=shop", [0, 2]),
        (Level::Namespace, "!app", [2, 2]),
        (Level::Node, "app=shop", [0, 3]),
    ] {
        assert_eq!(by(level, selector), expected, "{level:?} {selector}");
    }
}

#[test]
fn namespaces_are_there_below_the_nodes() {
    for level in Level::ALL {
        let query = v1::GraphQuery {
            level: level.as_str().to_owned(),
            namespaces: vec!["shop".to_owned()],
            ..v1::GraphQuery::default()
        };
        let asked = Query::parse(&query, i64::MAX / 2);
        if matches!(level, Level::Node | Level::Zone) {
            let error = asked.unwrap_err();
            assert_eq!(error.field, "namespaces");
            assert!(error.message.contains(level.as_str()), "{error}");
            continue;
        }
        let [found, all] = kept(level, |query| query.namespaces = vec!["shop".to_owned()]);
        assert_eq!(found, all, "{level:?}");
        let [found, _] = kept(level, |query| query.namespaces = vec!["pay".to_owned()]);
        assert_eq!(found, 0, "{level:?}");
    }
}

#[test]
fn kinds_are_those_of_the_level() {
    let by = |level, kind: &str| kept(level, |query| query.kinds = vec![kind.to_owned()]);
    for (level, kind, expected) in [
        (Level::Container, "container", [3, 3]),
        (Level::Pod, "Pod", [3, 3]),
        (Level::Workload, "Deployment", [2, 2]),
        (Level::Workload, "pod", [0, 2]),
        (Level::Workload, "external", [1, 2]),
        (Level::Service, "service", [1, 2]),
        (Level::Namespace, "namespace", [2, 2]),
        (Level::Node, "node", [3, 3]),
        (Level::Zone, "zone", [3, 3]),
    ] {
        assert_eq!(by(level, kind), expected, "{level:?} {kind}");
    }
}

#[test]
fn the_others_forget_what_was_dialed_and_the_largest_do_not() {
    let at = |top: u32| {
        let part = part(|query| query.top = Some(top));
        graph(&world(), part)
    };
    let [largest, other] = [at(1), at(0)];
    assert_eq!(
        edges(&largest),
        [
            "deployment:shop/client > deployment:shop/web :8080 c 5/50/500 s 5/50/500",
            "other > other :0 c - s 1/1/1",
        ]
    );
    let dialed = |graph: &v1::Graph| -> Vec<String> {
        let edges = graph.edges.iter();
        edges
            .flat_map(|edge| edge.dialed_services.clone())
            .collect()
    };
    assert_eq!(dialed(&largest), ["shop/web:80"]);
    assert_eq!(edges(&other), ["other > other :0 c 5/50/500 s 6/51/501"]);
    assert!(dialed(&other).is_empty() && other.edges[0].dialed.is_empty());
}
