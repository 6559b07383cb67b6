//! Parts of the graph.

use super::objects::{node, pod, service, workload};
use super::*;
use crate::kubernetes::object::ApiKind;

fn world() -> World {
    World::of([
        node("n1"),
        node("n2"),
        pod("a", "web-0", "n1")
            .labels(&[("app", "web")])
            .image("web")
            .into(),
        pod("b", "db-0", "n2").image("db").into(),
        service("a", "web", &[("app", "web")]),
        service("b", "web", &[]),
        workload(ApiKind::Deployment, "b", "db", &[]),
    ])
}

#[tokio::test]
async fn a_namespace_with_what_it_needs() {
    let answer = world().get("/cluster?namespace=a").await;
    let expected = [
        "Cluster:_unknown_",
        "Container:containerd://web-0-c",
        "Image:docker.io/web@sha256:0",
        "Node:n1",
        "Pod:a/web-0",
        "Service:a/web",
    ];
    assert_eq!(ids(&answer), expected);
    assert_eq!(related(&answer, "loadBalances").len(), 1);
    assert_eq!(related(&answer, "contains").len(), 3);
}

#[tokio::test]
async fn types_of_resources_and_relations() {
    let world = world();
    let answer = world.get("/cluster?type=pods,Node,runs").await;
    assert_eq!(
        ids(&answer),
        ["Node:n1", "Node:n2", "Pod:a/web-0", "Pod:b/db-0"]
    );
    assert_eq!(related(&answer, "runs").len(), 2);
    let answer = world.get("/cluster?type=runs").await;
    let relations = answer["relations"].as_array().unwrap();
    assert!(relations.iter().all(|one| one["type"] == "runs") && relations.len() == 2);
    assert!(ids(&answer).len() > 4);
}

#[tokio::test]
async fn what_is_near_a_resource() {
    let world = world();
    let near = async |query: &str| {
        let answer = world.get(&format!("/cluster?{query}")).await;
        ids(&answer)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(near("root=Service:a/web&depth=0").await, ["Service:a/web"]);
    let one = ["Cluster:_unknown_", "Pod:a/web-0", "Service:a/web"];
    assert_eq!(near("root=Service:a/web").await, one);
    let two = [
        "Cluster:_unknown_",
        "Container:containerd://web-0-c",
        "Node:n1",
        "Pod:a/web-0",
        "Service:a/web",
    ];
    assert_eq!(
        near("root=Service:a/web&depth=2").await,
        two,
        "not through the cluster"
    );
    // Without namespace, where one has the name.
    assert_eq!(near("root=Pod:db-0&depth=0").await, ["Pod:b/db-0"]);
    for (query, status) in [
        ("root=Service:web", 400),
        ("root=Service:c/web", 404),
        ("root=Pod:db-0&depth=17", 400),
        ("depth=2", 400),
    ] {
        let got = world.ask(&format!("/cluster?{query}"), &[]).await;
        assert_eq!(got.status.as_u16(), status, "{query}");
    }
}
