//! What Cluster Insight's clients rely on.

use super::objects::{container, node, pod, service, slice, workload};
use super::*;
use crate::kubernetes::Watch;
use crate::kubernetes::object::ApiKind;

#[tokio::test]
async fn ids_say_type_namespace_and_name() {
    let mut waiting = container("x", "late", "late");
    (waiting.id, waiting.image_id) = ("".into(), "".into());
    let started = container("3f", "web", "web");
    let world = World::of([
        node("n1"),
        pod("a", "web-0", "n1")
            .containers([started, waiting])
            .into(),
    ]);
    let answer = world.get("/cluster").await;
    let expected = [
        "Cluster:_unknown_",
        "Container:a/web-0/late",
        "Container:containerd://3f",
        "Image:docker.io/web@sha256:0",
        "Node:n1",
        "Pod:a/web-0",
    ];
    assert_eq!(ids(&answer), expected);
}

#[tokio::test]
async fn legacy_ids_have_no_namespace_and_drop_nothing() {
    let mut waiting = container("x", "late", "late");
    waiting.id = "".into();
    let world = World::of([
        node("n1"),
        pod("a", "web", "n1").containers([waiting]).into(),
        pod("b", "web", "n1").into(),
        pod("b", "db", "n1").into(),
    ]);
    let answer = world.get("/cluster?ids=legacy").await;
    let expected = [
        "Cluster:_unknown_",
        "Container:late",
        "Image:docker.io/late@sha256:0",
        "Node:n1",
        "Pod:a/web",
        "Pod:b/web",
        "Pod:db",
    ];
    assert_eq!(ids(&answer), expected);
    let aliases = &resource(&answer, "Pod:a/web")["annotations"]["aliases"];
    assert_eq!(*aliases, serde_json::json!(["Pod:web"]));
    assert_eq!(related(&answer, "runs")[2], "Node:n1>Pod:db");
    // Lists of one type had bare names.
    let answer = world.get("/cluster/resources/pods?ids=legacy").await;
    assert_eq!(ids(&answer), ["a/web", "b/web", "db"]);
    let answer = world.get("/cluster/resources/nodes?ids=legacy").await;
    assert_eq!(ids(&answer), ["n1"]);
}

#[tokio::test]
async fn times_tell_what_changed() {
    let world = World::of([node("n1"), node("n2"), pod("a", "web-0", "n1").into()]);
    let first = world.get("/cluster?type=Cluster,Node,Pod").await;
    let again = world.get("/cluster?type=Cluster,Node,Pod").await;
    assert_eq!(first["resources"], again["resources"]);
    assert_eq!(first["timestamp"], again["timestamp"]);
    let mut changed = node("n2");
    changed.meta.labels = objects::labels(&[("a", "b")]);
    world.put(changed, START + 5_000);
    let after = world.get("/cluster?type=Cluster,Node,Pod").await;
    let late = "2026-01-31T12:00:05.000000Z";
    assert_eq!(after["timestamp"], late);
    for one in after["resources"].as_array().unwrap() {
        let is_late = one["timestamp"] == late;
        assert_eq!(is_late, one["id"] == "Node:n2", "{one}");
    }
    assert_eq!(after["relations"], first["relations"], "as old as before");
}

#[tokio::test]
async fn what_is_gone_moves_the_graphs_time() {
    let world = World::of([node("n1"), node("n2")]);
    let first = world.get("/cluster?type=Cluster,Node").await;
    assert_eq!(first["timestamp"], "2026-01-31T12:00:00.000000Z");
    let uid = objects::uid(&ApiKind::Node, "", "n2");
    world
        .http
        .reader
        .directory()
        .change(|index| index.gone(&ApiKind::Node, "", "n2", &uid, START));
    let after = world.get("/cluster?type=Cluster,Node").await;
    assert_eq!(ids(&after), ["Cluster:_unknown_", "Node:n1"]);
    assert!(after["timestamp"].as_str() > first["timestamp"].as_str());
    let again = world.get("/cluster?type=Cluster,Node").await;
    assert_eq!(after["timestamp"], again["timestamp"]);
}

#[tokio::test]
async fn answers_have_one_order() {
    let objects = || -> Vec<Object> {
        vec![
            node("n1"),
            service("a", "web", &[]),
            slice("a", "web-x", "web", &[("web-1", true), ("web-0", true)]),
            pod("a", "web-1", "n1").into(),
            pod("a", "web-0", "n1").into(),
            workload(ApiKind::Deployment, "a", "web", &[]),
        ]
    };
    let one = World::of(objects())
        .ask("/cluster?type=Pod,Service,loadBalances", &[])
        .await;
    let other = World::of(objects().into_iter().rev());
    let other = other
        .ask("/cluster?type=Pod,Service,loadBalances", &[])
        .await;
    assert_eq!(one.header("etag"), other.header("etag"));
    let answer = one.json();
    assert_eq!(
        ids(&answer),
        ["Pod:a/web-0", "Pod:a/web-1", "Service:a/web"]
    );
    let expected = ["Service:a/web>Pod:a/web-0", "Service:a/web>Pod:a/web-1"];
    assert_eq!(related(&answer, "loadBalances"), expected);
}

#[tokio::test]
async fn dot_has_the_known_grammar_and_colours() {
    let world = World::of([node("n1"), pod("a", "web-0", "n1").image("web").into()]);
    let got = world.ask("/debug", &[]).await;
    assert_eq!(
        got.header("content-type"),
        "text/vnd.graphviz; charset=utf-8"
    );
    let expected = concat!(
        r#"digraph{"Cluster:_unknown_"[label="Cluster:_unknown_",color=black];"#,
        r#""Container:containerd://web-0-c"[label="Container:main",color=green];"#,
        r#""Image:docker.io/web@sha256:0"[label="Image:web",color=maroon];"#,
        r#""Node:n1"[label="Node:n1",color=red];"#,
        r#""Pod:a/web-0"[label="Pod:web-0",color=blue];"#,
        r#""Cluster:_unknown_"->"Node:n1"[label="contains"];"#,
        r#""Container:containerd://web-0-c"->"Image:docker.io/web@sha256:0"[label="createdFrom"];"#,
        r#""Node:n1"->"Pod:a/web-0"[label="runs"];"#,
        r#""Pod:a/web-0"->"Container:containerd://web-0-c"[label="contains"]}"#,
    );
    assert_eq!(got.body, expected);
}

#[tokio::test]
async fn a_pod_without_a_node_is_in_the_cluster() {
    let answer = World::of([pod("a", "web-0", "").into()])
        .get("/cluster")
        .await;
    assert_eq!(
        related(&answer, "contains"),
        ["Cluster:_unknown_>Pod:a/web-0"]
    );
    assert_eq!(related(&answer, "runs"), Vec::<String>::new());
}

#[tokio::test]
async fn the_small_paths() {
    let world = World::of([node("n1"), node("n2"), pod("a", "web-0", "n3").into()]);
    let mut broken = node("n4");
    if let crate::kubernetes::object::Body::Node(node) = &mut broken.body {
        node.ready = false;
    }
    world.put(broken, START);
    let agents = ["n1", "n4", "n5"].map(|node| {
        let hello = v1::Hello {
            node: node.into(),
            ..v1::Hello::default()
        };
        world.http.agents.enter(&hello).unwrap()
    });
    let answer = world.get("/minions_status").await;
    let expected = serde_json::json!({
        "n1": "OK", "n2": "ERROR", "n3": "ERROR", "n4": "ERROR", "n5": "OK",
    });
    assert_eq!(answer["minionsStatus"], expected);
    assert_eq!(
        answer["minions"]["n4"],
        serde_json::json!({"ready": false, "agent": true})
    );
    assert_eq!(
        answer["minions"]["n3"],
        serde_json::json!({"ready": null, "agent": false})
    );
    drop(agents);
    let version = world.get("/version").await;
    let expected = concat!("insight-aggregator ", env!("CARGO_PKG_VERSION"));
    assert_eq!(version["version"], expected);
    let health = world.get("/healthz").await;
    assert_eq!(
        (&health["health"], &health["status"]),
        (&"OK".into(), &"ok".into())
    );
    assert_eq!(health["success"], true);
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn the_help_page_says_what_it_returns() {
    let world = World::new();
    let index = world.ask("/", &[]).await;
    assert!(index.body.contains("Returns this help message"));
    assert_eq!(index.header("content-type"), "application/json");
    let browser = world.ask("/", &[("accept", "text/html,*/*;q=0.8")]).await;
    assert!(browser.body.contains("Returns this help message"));
    assert!(browser.body.contains("/minions_status"));
    assert_eq!(browser.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn scripts_of_other_sites_may_read_all_of_it() {
    let world = World::new();
    for path in [
        "/",
        "/cluster",
        "/cluster/resources",
        "/cluster/resources/pods",
        "/cluster/resources/nothing",
        "/debug",
        "/version",
        "/elapsed",
        "/healthz",
        "/minions_status",
        "/cluster?nope=1",
    ] {
        let got = world.ask(path, &[]).await;
        assert_eq!(got.header("access-control-allow-origin"), "*", "{path}");
    }
    let request = Request::builder().method("OPTIONS").uri("/cluster");
    let got = got(world.send(request.body(Body::empty()).unwrap()).await).await;
    assert_eq!(got.status, StatusCode::NO_CONTENT);
    assert_eq!(got.header("access-control-allow-headers"), "If-None-Match");
}

#[tokio::test]
async fn half_a_list_is_not_shown_and_what_is_unknown_is_said() {
    let world = World::of([node("n1")]);
    let set = |kind: ApiKind, watch: Watch| {
        let directory = world.http.reader.directory();
        directory.change(|index| index.set_watch(&kind, watch));
    };
    set(ApiKind::Pod, Watch::Starting);
    let got = world.ask("/cluster", &[]).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    set(ApiKind::Pod, Watch::Current);
    set(ApiKind::Secret, Watch::Forbidden { why: "no".into() });
    let answer = world.get("/cluster").await;
    let expected = serde_json::json!([{"type": "Secret", "state": "forbidden", "why": "no"}]);
    assert_eq!(answer["unknown"], expected);
}

#[tokio::test]
async fn nothing_is_an_empty_success() {
    let answer = World::new().get("/cluster").await;
    assert_eq!(answer["success"], true);
    assert_eq!(answer["resources"], serde_json::json!([]));
    assert_eq!(answer["relations"], serde_json::json!([]));
    assert!(answer["timestamp"].is_string());
}

#[tokio::test]
async fn they_can_be_served_alone() {
    let world = World::of([node("n1")]);
    let ask = async |path: &str| {
        let router = super::super::router(world.http.clone());
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        got(router.oneshot(request).await.unwrap()).await
    };
    assert!(ask("/").await.body.starts_with("<!DOCTYPE html>"));
    assert_eq!(ids(&ask("/cluster").await.json()).len(), 2);
    assert_eq!(ask("/healthz").await.json()["health"], "OK");
    let unknown = ask("/v1/graph").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.json()["success"], false);
}
