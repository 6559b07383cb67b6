//! Who talks to whom, from what agents counted.

use super::objects::{container, node, pod, service, slice, workload};
use super::*;
use crate::kubernetes::object::ApiKind;

const CLIENT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SERVER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Pods client and web of shop on n1; the first one called the second one 3 times on port 80. A Deployment made the first one, a Service leads to the
/// second one.
pub(super) fn shop() -> World {
    let of = |name: &str, id: &str| pod("shop", name, "n1").containers([container(id, name, name)]);
    let deployment = ApiKind::Deployment;
    let world = World::of([
        node("n1"),
        workload(deployment.clone(), "shop", "callers", &[]),
        service("shop", "front", &[]),
        slice("shop", "front-x", "front", &[("web", true)]),
        of("client", CLIENT)
            .controlled_by(deployment, "callers")
            .into(),
        of("web", SERVER).into(),
        pod("other", "idle", "n1").into(),
    ]);
    world.commit(&batch());
    world
}

fn batch() -> v1::Batch {
    let endpoint = |last: u8, cgroup_id: u64| v1::Endpoint {
        address: vec![10, 1, 0, last],
        cgroup_id,
        netns: u64::from(last),
        ..v1::Endpoint::default()
    };
    let owner = |cgroup_id, name: &str, id: &str| v1::Owner {
        cgroup_id,
        path: format!("/kubepods/{name}/{id}"),
        level: "container".into(),
        pod_uid: format!("Pod-shop-{name}"),
        container_id: id.into(),
        runtime: "containerd".into(),
        qos: "burstable".into(),
        ..v1::Owner::default()
    };
    let to = now_ms();
    let zeros = || vec![0, 0];
    v1::Batch {
        node: "n1".into(),
        boot_id: "boot".into(),
        epoch: 9,
        sequence: 1,
        from_unix_ms: to - 5_000,
        to_unix_ms: to,
        flows: Some(v1::FlowColumns {
            endpoints: vec![
                endpoint(1, 77),
                endpoint(2, 0),
                endpoint(2, 78),
                endpoint(1, 0),
            ],
            local: vec![0, 2],
            remote: vec![1, 3],
            port: vec![80, 80],
            protocol: vec![6, 6],
            role: vec![1, 2],
            opened: vec![3, 3],
            closed: vec![2, 2],
            failed_refused: vec![1, 0],
            failed_timed_out: zeros(),
            failed_unreachable: zeros(),
            failed_other: zeros(),
            active: vec![1, 1],
            bytes_sent: vec![100, 2_000],
            bytes_received: vec![2_000, 100],
            retransmits: vec![4, 0],
            resets: zeros(),
            bytes_retransmitted: zeros(),
            syn_retransmits: zeros(),
            rtt: Vec::new(),
            connect: Vec::new(),
            messages_sent: zeros(),
            messages_received: zeros(),
            own: vec![false, false],
            dialed: Vec::new(),
        }),
        owners: vec![owner(77, "client", CLIENT), owner(78, "web", SERVER)],
        ..v1::Batch::default()
    }
}

#[tokio::test]
async fn pods_talk_to_pods_with_what_was_counted() {
    let answer = shop().get("/cluster?type=communicatesWith").await;
    let relation = &answer["relations"][0];
    assert_eq!(relation["source"], "Pod:shop/client");
    assert_eq!(relation["target"], "Pod:shop/web");
    let mut metadata = relation["annotations"]["metadata"].clone();
    for time in ["first_seen", "last_seen"] {
        assert!(metadata[time].as_str().unwrap().ends_with('Z'));
        metadata[time].take();
    }
    assert_eq!(metadata["edge"].take().as_str().unwrap().len(), 16);
    let expected = serde_json::json!({
        "edge": null,
        "protocol": "tcp",
        "port": 80,
        "counted_at": "client",
        "bytes_sent": 100,
        "bytes_received": 2_000,
        "connections": 3,
        "active": 1,
        "failed": 1,
        "retransmits": 4,
        "rtt_us": null,
        "first_seen": null,
        "last_seen": null,
    });
    assert_eq!(metadata, expected);
    assert_eq!(
        answer["traffic"]["complete"], false,
        "agents are silent by now"
    );
}

#[tokio::test]
async fn containers_talk_to_containers() {
    let world = shop();
    let answer = world.get("/cluster?grain=container").await;
    let expected = format!("Container:containerd://{CLIENT}>Container:containerd://{SERVER}");
    assert_eq!(related(&answer, "communicatesWith"), [expected]);
}

#[tokio::test]
async fn workloads_and_services_talk_as_a_whole() {
    let world = shop();
    for (grain, expected) in [
        ("workload", "Deployment:shop/callers>Pod:shop/web"),
        ("service", "Deployment:shop/callers>Service:shop/front"),
    ] {
        let answer = world.get(&format!("/cluster?grain={grain}")).await;
        assert_eq!(related(&answer, "communicatesWith"), [expected], "{grain}");
    }
    let got = world.ask("/cluster?grain=rack", &[]).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_namespace_keeps_whom_it_talks_to() {
    let world = shop();
    let answer = world.get("/cluster?namespace=shop&type=Pod").await;
    assert_eq!(ids(&answer), ["Pod:shop/client", "Pod:shop/web"]);
    let answer = world.get("/cluster?namespace=other").await;
    assert_eq!(ids(&answer), ["Node:n1", "Pod:other/idle"]);
}

/// Ids of every level lead to the objects that they name.
#[test]
fn ids_of_the_graph_lead_to_objects() {
    use super::super::graph;
    use super::super::snapshot::Snapshot;

    let objects = [
        workload(ApiKind::Deployment, "shop", "client", &[]),
        workload(ApiKind::of("Rollout", "argoproj.io"), "shop", "web", &[]),
        service("shop", "web", &[]),
        node("n1"),
        pod("kube-system", "static", "n1").into(),
    ];
    let world = World::of(objects);
    if let Some(pod) = world.http.reader.directory().change(|index| {
        let pod = index.get(&ApiKind::Pod, "kube-system", "static");
        pod.map(|stored| stored.object.clone())
    }) {
        let mut pod = pod;
        if let crate::kubernetes::object::Body::Pod(body) = &mut pod.body {
            body.node_uid = Some("0123abcd".into());
        }
        world.put(pod, START);
    }
    let ends = [
        ("deployment:shop/client", "Deployment:shop/client"),
        (
            "rollout.argoproj.io:shop/web",
            "Rollout.argoproj.io:shop/web",
        ),
        ("service:shop/web", "Service:shop/web"),
        ("node:n1", "Node:n1"),
        ("pod:Pod-kube-system-static", "Pod:kube-system/static"),
        ("pod:0123abcd", "Pod:kube-system/static"),
        ("statefulset:shop/gone", "StatefulSet:shop/gone"),
        ("external:192.0.2.7", "External:192.0.2.7"),
        ("container:3f", "Container:3f"),
        ("ambiguous:10.1.0.7", "Ambiguous:10.1.0.7"),
    ];
    let nodes = ends.map(|(id, _)| v1::Node {
        id: id.into(),
        name: id.into(),
        ..v1::Node::default()
    });
    let edges = ends.map(|(id, _)| v1::Edge {
        client: id.into(),
        server: id.into(),
        ..v1::Edge::default()
    });
    let traffic = v1::Graph {
        nodes: nodes.into(),
        edges: edges.into(),
        ..v1::Graph::default()
    };
    let snapshot = Snapshot {
        traffic: Some(traffic),
        ..Snapshot::of(world.http.reader.directory())
    };
    let graph = graph::build(&snapshot);
    let talks = graph
        .relations
        .iter()
        .filter(|relation| relation.kind == super::super::kinds::RelationKind::CommunicatesWith);
    let found: Vec<&str> = talks
        .map(|relation| graph.resources[relation.source].id.as_str())
        .collect();
    assert_eq!(found, ends.map(|(_, expected)| expected));
}
