//! The cluster that Cluster Insight's own tests knew, with the counts that they asserted.

use std::collections::BTreeMap;

use super::objects::{container, node, plain, pod, service, workload};
use super::*;
use crate::kubernetes::object::ApiKind;

/// What Cluster Insight knew, as types of resources and relations.
const KNOWN: &str = "Cluster,Node,Service,Pod,Container,Image,ReplicationController,contains,runs,createdFrom,loadBalances,monitors";

/// Four nodes and a master that only pods tell of, three controllers with six pods, six Services.
fn guestbook() -> World {
    let world = World::new();
    for name in ["node-1", "node-2", "node-3", "node-4"] {
        world.put(node(name), START);
    }
    let rc = ApiKind::ReplicationController;
    for (name, pods) in [("frontend", 3), ("redis-master", 1), ("redis-slave", 2)] {
        let labels = [("name", name)];
        world.put(workload(rc.clone(), "default", name, &labels), START);
        world.put(service("default", name, &labels), START);
        for number in 1..=pods {
            let on = format!("node-{number}");
            let pod = pod("default", &format!("{name}-{number}"), &on)
                .labels(&labels)
                .controlled_by(rc.clone(), name)
                .image(name);
            world.put(pod, START);
        }
    }
    let dns = ["etcd", "kube2sky", "skydns"].map(|name| container(name, name, name));
    let dns_labels = [("k8s-app", "kube-dns")];
    let dns = pod("kube-system", "kube-dns", "node-4")
        .labels(&dns_labels)
        .containers(dns);
    world.put(dns, START);
    world.put(service("kube-system", "kube-dns", &dns_labels), START);
    world.put(service("default", "kubernetes", &[]), START);
    world.put(
        service("kube-system", "nobody", &[("name", "nobody")]),
        START,
    );
    for number in 1..=4 {
        let name = format!("fluentd-{number}");
        let on = format!("node-{number}");
        world.put(pod("kube-system", &name, &on).image("fluentd"), START);
    }
    for name in ["apiserver", "scheduler", "controller-manager"] {
        world.put(pod("kube-system", name, "master").image(name), START);
    }
    // What came later.
    world.put(plain(ApiKind::Namespace, "", "default"), START);
    world.put(workload(ApiKind::Deployment, "default", "new", &[]), START);
    world
}

fn count<'v>(answer: &'v Value, list: &str) -> BTreeMap<&'v str, usize> {
    let mut counts = BTreeMap::new();
    for item in answer[list].as_array().unwrap() {
        *counts.entry(item["type"].as_str().unwrap()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn the_golden_counts_come_out() {
    let world = guestbook();
    let answer = world.get(&format!("/cluster?type={KNOWN}")).await;
    let resources = [
        ("Cluster", 1),
        ("Container", 16),
        ("Image", 10),
        ("Node", 5),
        ("Pod", 14),
        ("ReplicationController", 3),
        ("Service", 6),
    ];
    assert_eq!(count(&answer, "resources"), BTreeMap::from(resources));
    let relations = [
        ("contains", 30),
        ("createdFrom", 16),
        ("loadBalances", 7),
        ("monitors", 6),
        ("runs", 14),
    ];
    assert_eq!(count(&answer, "relations"), BTreeMap::from(relations));
    let mut contained = BTreeMap::new();
    for pair in related(&answer, "contains") {
        let (source, target) = pair.split_once('>').unwrap();
        let kind = |id: &str| id.split(':').next().unwrap().to_owned();
        *contained.entry((kind(source), kind(target))).or_insert(0) += 1;
    }
    let expected = [
        (("Cluster", "Node"), 5),
        (("Cluster", "ReplicationController"), 3),
        (("Cluster", "Service"), 6),
        (("Pod", "Container"), 16),
    ];
    let expected = expected.map(|((a, b), n)| ((a.to_owned(), b.to_owned()), n));
    assert_eq!(contained, BTreeMap::from(expected));
}

#[tokio::test]
async fn what_came_later_is_counted_apart() {
    let answer = guestbook().get("/cluster").await;
    let kinds = count(&answer, "resources");
    assert_eq!((kinds["Namespace"], kinds["Deployment"]), (1, 1));
    assert_eq!(kinds.values().sum::<usize>(), 55 + 2);
    let relations = count(&answer, "relations");
    assert_eq!(relations["owns"], 6);
    assert_eq!(relations["contains"], 30 + 2);
}

#[tokio::test]
async fn lists_of_one_type_have_as_many() {
    let world = guestbook();
    for (path, expected) in [
        ("nodes", 5),
        ("pods", 14),
        ("services", 6),
        ("rcontrollers", 3),
        ("containers", 16),
        ("images", 10),
        ("processes", 0),
        ("ReplicationController", 3),
        ("deployments", 1),
    ] {
        let answer = world.get(&format!("/cluster/resources/{path}")).await;
        assert_eq!(ids(&answer).len(), expected, "{path}");
        assert!(answer.get("relations").is_none());
    }
    assert_eq!(ids(&world.get("/cluster/resources").await).len(), 57);
}

/// The seed's own check of what it gets.
#[tokio::test]
async fn every_resource_and_relation_is_whole() {
    let answer = guestbook().get("/cluster").await;
    assert_eq!(answer["success"], true);
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let known: Vec<&str> = ids(&answer);
    for one in answer["resources"].as_array().unwrap() {
        assert!(is_text(&one["id"]) && is_text(&one["type"]) && is_text(&one["timestamp"]));
        assert!(one["properties"].is_object() && is_text(&one["annotations"]["label"]));
        let id = one["id"].as_str().unwrap();
        assert_eq!(id.split(':').next(), one["type"].as_str());
    }
    for one in answer["relations"].as_array().unwrap() {
        assert_eq!(one["annotations"]["label"], one["type"]);
        for end in ["source", "target"] {
            assert!(known.contains(&one[end].as_str().unwrap()), "{one}");
        }
    }
}
