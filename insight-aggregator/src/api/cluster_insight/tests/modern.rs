//! Kinds and relations that Cluster Insight did not know.

use super::objects::{leads_to, node, owner, plain, pod, selects, service, slice, uid, workload};
use super::*;
use crate::kubernetes::object::{ApiKind, Relation};

#[tokio::test]
async fn owners_and_controllers_at_any_distance() {
    let mut set = workload(ApiKind::ReplicaSet, "a", "web-1", &[]);
    set.meta.controller = Some(owner(ApiKind::Deployment, "a", "web"));
    let mut old = workload(ApiKind::ReplicaSet, "a", "web-0", &[]);
    // Of a Deployment of that name that is gone.
    let mut before = owner(ApiKind::Deployment, "a", "web");
    before.uid = "older".into();
    old.meta.controller = Some(before);
    let rollout = ApiKind::of("Rollout", "argoproj.io");
    let world = World::of([
        workload(ApiKind::Deployment, "a", "web", &[]),
        set,
        old,
        pod("a", "web-1-x", "n1")
            .controlled_by(ApiKind::ReplicaSet, "web-1")
            .into(),
        pod("a", "roll", "n1").controlled_by(rollout, "roll").into(),
        pod("a", "static", "n1")
            .controlled_by(ApiKind::Node, "n1")
            .into(),
    ]);
    let answer = world.get("/cluster").await;
    let expected = [
        "Deployment:a/web>ReplicaSet:a/web-1",
        "Node:n1>Pod:a/static",
        "ReplicaSet:a/web-1>Pod:a/web-1-x",
        "Rollout.argoproj.io:a/roll>Pod:a/roll",
    ];
    assert_eq!(related(&answer, "owns"), expected);
    let expected = [
        "Deployment:a/web>Pod:a/web-1-x",
        "ReplicaSet:a/web-1>Pod:a/web-1-x",
        "Rollout.argoproj.io:a/roll>Pod:a/roll",
    ];
    assert_eq!(related(&answer, "monitors"), expected);
    let roll = resource(&answer, "Rollout.argoproj.io:a/roll");
    assert_eq!(roll["properties"], serde_json::json!({}));
}

#[tokio::test]
async fn what_leads_to_what_by_its_specification() {
    let mut mounting = pod("a", "db-0", "n1").labels(&[("app", "db")]);
    mounting.1.claims = Box::new(["data".into(), "missing".into(), "data".into()]);
    let claim = (ApiKind::PersistentVolumeClaim, "a", "data");
    let scaler = (ApiKind::HorizontalPodAutoscaler, "a", "web");
    let world = World::of([
        mounting.into(),
        pod("b", "db-0", "n1").labels(&[("app", "db")]).into(),
        leads_to(
            claim,
            Relation::BindsTo,
            (ApiKind::PersistentVolume, "", "pv1"),
        ),
        plain(ApiKind::PersistentVolume, "", "pv1"),
        leads_to(scaler, Relation::Scales, (ApiKind::Deployment, "a", "web")),
        workload(ApiKind::Deployment, "a", "web", &[]),
        leads_to(
            (ApiKind::Ingress, "a", "in"),
            Relation::Routes,
            (ApiKind::Service, "a", "web"),
        ),
        leads_to(
            (ApiKind::http_route(), "a", "route"),
            Relation::Routes,
            (ApiKind::Service, "a", "web"),
        ),
        service("a", "web", &[]),
        slice("a", "web-x", "web", &[("db-0", true)]),
        selects(ApiKind::NetworkPolicy, "a", "all", &[]),
        selects(ApiKind::PodDisruptionBudget, "a", "none", &[("app", "web")]),
    ]);
    let answer = world.get("/cluster").await;
    for (kind, expected) in [
        ("mounts", "Pod:a/db-0>PersistentVolumeClaim:a/data"),
        (
            "bindsTo",
            "PersistentVolumeClaim:a/data>PersistentVolume:pv1",
        ),
        ("scales", "HorizontalPodAutoscaler:a/web>Deployment:a/web"),
        ("hasEndpoint", "EndpointSlice:a/web-x>Pod:a/db-0"),
        ("loadBalances", "Service:a/web>Pod:a/db-0"),
        ("selects", "NetworkPolicy:a/all>Pod:a/db-0"),
    ] {
        assert_eq!(related(&answer, kind), [expected], "{kind}");
    }
    let expected = [
        "HTTPRoute:a/route>Service:a/web",
        "Ingress:a/in>Service:a/web",
    ];
    assert_eq!(related(&answer, "routes"), expected);
    let rules = |id: &str| resource(&answer, id)["properties"]["spec"]["rules"][0].clone();
    let path = &rules("Ingress:a/in")["http"]["paths"][0];
    assert_eq!(path["backend"]["service"]["name"], "web");
    assert_eq!(rules("HTTPRoute:a/route")["backendRefs"][0]["name"], "web");
}

#[tokio::test]
async fn properties_have_the_apis_own_shape() {
    let mut pod = pod("a", "web-0", "n1").image("web:1");
    pod.0.controller = Some(owner(ApiKind::ReplicaSet, "a", "web-1"));
    let world = World::of([
        pod.into(),
        node("n1"),
        service("a", "web", &[("app", "web")]),
        workload(ApiKind::Deployment, "a", "web", &[("app", "web")]),
    ]);
    let answer = world.get("/cluster").await;
    let pod = &resource(&answer, "Pod:a/web-0")["properties"];
    assert_eq!(
        (&pod["apiVersion"], &pod["kind"]),
        (&"v1".into(), &"Pod".into())
    );
    assert_eq!(pod["spec"]["containers"][0]["image"], "web:1");
    assert_eq!(pod["status"]["podIP"], "10.1.0.7");
    assert_eq!(
        pod["status"]["containerStatuses"][0]["state"]["running"],
        serde_json::json!({})
    );
    let owner = &pod["metadata"]["ownerReferences"][0];
    assert_eq!(owner["apiVersion"], "apps/v1");
    assert_eq!(owner["uid"], &*uid(&ApiKind::ReplicaSet, "a", "web-1"));
    let node = &resource(&answer, "Node:n1")["properties"];
    assert_eq!(node["status"]["conditions"][0]["status"], "True");
    let service = &resource(&answer, "Service:a/web")["properties"]["spec"];
    assert_eq!(service["selector"]["app"], "web");
    assert_eq!(service["ports"][0]["targetPort"], 8080);
    let deployment = &resource(&answer, "Deployment:a/web")["properties"];
    assert_eq!(deployment["spec"]["selector"]["matchLabels"]["app"], "web");
    let container = &resource(&answer, "Container:containerd://web-0-c")["properties"];
    assert_eq!(container["metadata"]["name"], "main");
    assert_eq!(container["status"]["containerID"], "containerd://web-0-c");
}

#[tokio::test]
async fn annotations_lead_to_metrics_logs_and_events() {
    let world = World::of([pod("a", "web-0", "n1").image("web:1").into()]);
    let answer = world.get("/cluster").await;
    let container = &resource(&answer, "Container:containerd://web-0-c")["annotations"];
    assert_eq!(
        container["metrics"]["prometheus"]["selector"],
        r#"namespace="a",pod="web-0",container="main""#
    );
    assert_eq!(
        container["logs"]["kubernetes"],
        "/api/v1/namespaces/a/pods/web-0/log?container=main"
    );
    let pod = &resource(&answer, "Pod:a/web-0")["annotations"];
    assert_eq!(
        pod["events"]["kubernetes"],
        "/api/v1/namespaces/a/events?fieldSelector=involvedObject.uid%3DPod-a-web-0"
    );
    let node = &resource(&answer, "Node:n1")["annotations"];
    assert_eq!(node["metrics"]["prometheus"]["selector"], r#"node="n1""#);
}
