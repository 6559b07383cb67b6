//! Names and levels where Kubernetes is known.

use crate::graph::build;
use crate::graph::testing::{START, World, container, counts, edges, query, refused, to, unit};
use crate::graph::{Direction, Focus, Part, Query};
use crate::kubernetes::Index;
use crate::kubernetes::object::{ApiKind, Backend, Body, Object, Phase};
use crate::kubernetes::testing::{
    labels, listening, node, object, of, owner, pod, service, slice, with_pod, workload,
};
use crate::model::{Entity, Level, UnixMs};

pub(super) const LONG_AGO: UnixMs = START - 3_600_000;

pub(super) fn index(objects: impl IntoIterator<Item = Object>) -> Index {
    let mut index = Index::default();
    objects
        .into_iter()
        .for_each(|object| index.put(object, LONG_AGO));
    index
}

/// What an agent tells of the pod's container.
pub(super) fn seen(node: &str, pod: &str) -> Entity {
    container(node, &format!("uid-{pod}"), &format!("{pod}1"))
}

/// The pod of a Deployment whose ReplicaSet has `-r` behind its name.
pub(super) fn deployed(name: &str, deployment: &str, node: &str, address: &str) -> Object {
    let set = owner(ApiKind::ReplicaSet, &format!("{deployment}-r"));
    let mut pod = of(pod(name, node, &[address]), set);
    pod.meta.labels = labels(&["app=shop", "pod-template-hash=r"]);
    pod
}

pub(super) fn set(deployment: &str) -> Object {
    let set = workload(ApiKind::ReplicaSet, &format!("{deployment}-r"));
    of(set, owner(ApiKind::Deployment, deployment))
}

/// `client` on n1 calls `web` on n1 and n2 by Service web, 10.96.0.1:80, which leads to port 8080.
pub(super) fn shop() -> Index {
    index([
        node("n1", "zone-a", &["192.168.0.1"]),
        node("n2", "zone-b", &["192.168.0.2"]),
        set("client"),
        set("web"),
        deployed("client-1", "client", "n1", "10.0.1.1"),
        deployed("web-1", "web", "n1", "10.0.1.2"),
        deployed("web-2", "web", "n2", "10.0.2.2"),
        service("web", &["10.96.0.1"], 80, 8080),
        slice("web", 8080, &["web-1", "web-2"]),
    ])
}

/// Five connections to the Service; two arrived at one backend, three at the other.
pub(super) fn traffic(index: Index) -> World {
    let [client, one, two] =
        [("n1", "client-1"), ("n1", "web-1"), ("n2", "web-2")].map(|(node, pod)| seen(node, pod));
    World::new()
        .knowing(index)
        .client(&client, "10.0.1.1", "10.96.0.1", 80, counts(5, 50, 500))
        .server(&one, "10.0.1.2", "10.0.1.1", 8080, counts(2, 200, 20))
        .server(&two, "10.0.2.2", "10.0.1.1", 8080, counts(3, 300, 30))
}

#[test]
fn a_service_is_what_was_dialed_and_both_views_meet_at_its_workload() {
    let graph = traffic(shop()).graph(Level::Workload);
    assert_eq!(
        edges(&graph),
        ["deployment:shop/client > deployment:shop/web :8080 c 5/50/500 s 5/50/500"]
    );
    let edge = &graph.edges[0];
    assert_eq!(edge.dialed, ["10.96.0.1:80"]);
    assert_eq!(edge.dialed_services, ["shop/web:80"]);
    let web = &graph.nodes[1];
    assert_eq!(
        [&web.kind, &web.name, &web.namespace, &web.node],
        ["deployment", "web", "shop", ""]
    );
    assert_eq!(web.services, ["shop/web"]);
    assert_eq!(web.kubernetes_labels["app"], "shop");
    assert!(!web.kubernetes_labels.contains_key("pod-template-hash"));
}

#[test]
fn every_level_has_the_same_sums() {
    let world = traffic(shop());
    let at = |level| edges(&world.graph(level));
    assert_eq!(
        at(Level::Container),
        [
            "container:client-11 > container:web-11 :8080 c - s 2/20/200",
            "container:client-11 > container:web-21 :8080 c - s 3/30/300",
        ]
    );
    assert_eq!(
        at(Level::Pod),
        [
            "pod:uid-client-1 > pod:uid-web-1 :8080 c - s 2/20/200",
            "pod:uid-client-1 > pod:uid-web-2 :8080 c - s 3/30/300",
        ]
    );
    assert_eq!(
        at(Level::Service),
        ["deployment:shop/client > service:shop/web :8080 c 5/50/500 s 5/50/500"]
    );
    assert_eq!(
        at(Level::Namespace),
        ["namespace:shop > namespace:shop :8080 c 5/50/500 s 5/50/500"]
    );
    assert_eq!(
        at(Level::Node),
        [
            "node:n1 > node:n1 :8080 c - s 2/20/200",
            "node:n1 > node:n2 :8080 c - s 3/30/300",
        ]
    );
    assert_eq!(
        at(Level::Zone),
        [
            "zone:zone-a > zone:zone-a :8080 c - s 2/20/200",
            "zone:zone-a > zone:zone-b :8080 c - s 3/30/300",
        ]
    );
}

#[test]
fn names_of_a_container_and_a_pod() {
    let graph = traffic(shop()).graph(Level::Container);
    let client = &graph.nodes[0];
    assert_eq!([&client.name, &client.kind], ["client-1/main", "container"]);
    assert_eq!(
        [&client.namespace, &client.node, &client.zone],
        ["shop", "n1", "zone-a"]
    );
    assert_eq!(client.workload, "deployment:shop/client");
    assert_eq!(client.labels["container"], "main");
    let graph = traffic(shop()).graph(Level::Pod);
    let client = &graph.nodes[0];
    assert_eq!([&client.name, &client.kind], ["client-1", "pod"]);
    assert_eq!(client.workload, "deployment:shop/client");
    assert_eq!(client.labels["qos"], "burstable");
}

#[test]
fn what_one_connection_did_says_nothing_of_the_others() {
    // Connection tracking told of one connection, and the other backend has no agent.
    let client = seen("n1", "client-1");
    let world = World::new()
        .knowing(shop())
        .client(&client, "10.0.1.1", "10.96.0.1", 80, counts(5, 50, 500))
        .server(
            &seen("n1", "web-1"),
            "10.0.1.2",
            "10.0.1.1",
            8080,
            counts(2, 200, 20),
        )
        .dialed(&client, "10.96.0.1", 80, &[to("10.0.1.2:8080")]);
    assert_eq!(
        edges(&world.graph(Level::Pod)),
        [
            "pod:uid-client-1 > pod:uid-web-1 :8080 c - s 2/20/200",
            "pod:uid-client-1 > service:shop/web :80 c 3/30/300 s -",
        ]
    );
    assert_eq!(
        edges(&world.graph(Level::Workload)),
        ["deployment:shop/client > deployment:shop/web :8080 c 5/50/500 s 2/20/200"]
    );
}

#[test]
fn a_pod_that_no_agent_watches_is_found_by_its_address() {
    let client = seen("n1", "client-1");
    let world = World::new()
        .knowing(shop())
        .client(&client, "10.0.1.1", "10.0.2.2", 8080, counts(1, 2, 3))
        .server(&client, "10.0.1.1", "10.0.1.2", 9000, counts(4, 5, 6));
    assert_eq!(
        world.edges(),
        [
            "deployment:shop/client > deployment:shop/web :8080 c 1/2/3 s -",
            "deployment:shop/web > deployment:shop/client :9000 c - s 4/6/5",
        ]
    );
    assert_eq!(
        edges(&world.graph(Level::Container)),
        [
            "container:client-11 > container:web-21 :8080 c 1/2/3 s -",
            "container:web-11 > container:client-11 :9000 c - s 4/6/5",
        ]
    );
}

#[test]
fn a_service_without_backends_and_an_api_server_have_a_name() {
    let mut endpoint = slice("api", 6443, &[]);
    if let Body::EndpointSlice(slice) = &mut endpoint.body {
        slice.backends = Box::new([Backend {
            addresses: Box::new(["192.168.0.100".parse().unwrap()]),
            ready: true,
            target: None,
            node: "".into(),
        }]);
    }
    let client = seen("n1", "client-1");
    let mut index = shop();
    for object in [
        service("api", &["10.96.0.2"], 443, 6443),
        endpoint,
        service("gone", &["10.96.0.3"], 80, 80),
    ] {
        index.put(object, LONG_AGO);
    }
    let world = World::new()
        .knowing(index)
        .client(&client, "10.0.1.1", "10.96.0.3", 80, refused(2))
        .client(&client, "10.0.1.1", "10.96.0.2", 443, counts(1, 1, 1))
        .client(&client, "10.0.1.1", "192.168.0.100", 6443, counts(2, 2, 2))
        .client(&client, "10.0.1.1", "192.168.0.100", 22, counts(3, 3, 3))
        .server(&client, "10.0.1.1", "192.168.0.100", 9090, counts(4, 4, 4));
    assert_eq!(
        world.edges(),
        [
            "deployment:shop/client > external:192.168.0.100 :22 c 3/3/3 s -",
            "deployment:shop/client > service:shop/api :443 c 1/1/1 s -",
            "deployment:shop/client > service:shop/api :6443 c 2/2/2 s -",
            "deployment:shop/client > service:shop/gone :80 c failed 2 s -",
            "service:shop/api > deployment:shop/client :9090 c - s 4/4/4",
        ]
    );
}

#[test]
fn a_port_of_a_node_is_a_pod_on_its_network_or_a_service() {
    let exporter = listening(
        with_pod(pod("exporter", "n2", &["192.168.0.2"]), |pod| {
            pod.host_network = true;
        }),
        9100,
    );
    let mut open = service("web", &["10.96.0.1"], 80, 8080);
    if let Body::Service(service) = &mut open.body {
        service.ports[0].node_port = 30080;
    }
    let mut index = shop();
    index.put(exporter, LONG_AGO);
    index.put(open, LONG_AGO);
    let client = seen("n1", "client-1");
    let call = |world: World, port| {
        world.client(&client, "10.0.1.1", "192.168.0.2", port, counts(1, 1, 1))
    };
    let world = [9100, 30080, 22]
        .into_iter()
        .fold(World::new().knowing(index), call);
    let graph = world.graph(Level::Workload);
    assert_eq!(
        edges(&graph),
        [
            "deployment:shop/client > deployment:shop/web :8080 c 1/1/1 s -",
            "deployment:shop/client > node:n2 :22 c 1/1/1 s -",
            "deployment:shop/client > pod:uid-exporter :9100 c 1/1/1 s -",
        ]
    );
    let dialed = graph.edges.iter().flat_map(|edge| &edge.dialed_services);
    assert_eq!(dialed.collect::<Vec<_>>(), ["shop/web:80"]);
}

#[test]
fn what_is_in_no_namespace_stays_with_its_node() {
    let world = World::new().knowing(shop()).client(
        &unit("n1", "kubelet.service"),
        "192.168.0.1",
        "10.0.1.2",
        8080,
        counts(1, 1, 1),
    );
    assert_eq!(
        edges(&world.graph(Level::Namespace)),
        ["node:n1 > namespace:shop :8080 c 1/1/1 s -"]
    );
    assert_eq!(
        edges(&world.graph(Level::Service)),
        ["unit:n1/kubelet.service > service:shop/web :8080 c 1/1/1 s -"]
    );
    assert_eq!(
        edges(&world.graph(Level::Zone)),
        ["zone:zone-a > zone:zone-a :8080 c 1/1/1 s -"]
    );
}

#[test]
fn a_static_pod_is_known_by_what_its_node_calls_it() {
    let mirror = with_pod(pod("etcd-n1", "n1", &["192.168.0.1"]), |pod| {
        pod.host_network = true;
        pod.node_uid = Some("hash".into());
    });
    let seen = container("n1", "hash", "etcd-n11");
    let world = World::new()
        .knowing(index([of(mirror, owner(ApiKind::Node, "n1"))]))
        .client(&seen, "192.168.0.1", "192.0.2.7", 443, counts(1, 1, 1));
    let graph = world.graph(Level::Workload);
    assert_eq!(
        edges(&graph),
        ["pod:uid-etcd-n1 > external:192.0.2.7 :443 c 1/1/1 s -"]
    );
    assert_eq!(graph.nodes[1].name, "etcd-n1");
}

#[test]
fn labels_of_the_workload_itself_count_too() {
    let mut index = shop();
    let mut deployment = workload(ApiKind::Deployment, "web");
    deployment.meta.labels = labels(&["team=blue", "app=front"]);
    index.put(deployment, LONG_AGO);
    index.put(
        object(ApiKind::Namespace, "", "shop", Body::Plain),
        LONG_AGO,
    );
    let graph = traffic(index).graph(Level::Workload);
    let labels = &graph.nodes[1].kubernetes_labels;
    assert_eq!(
        (labels["team"].as_str(), labels["app"].as_str()),
        ("blue", "front")
    );
}

#[test]
fn where_a_pod_is_is_no_label_of_its_workload() {
    let mut index = shop();
    let mut client = deployed("client-1", "client", "n1", "10.0.1.1");
    client.meta.labels = labels(&["app=shop", "topology.kubernetes.io/zone=zone-a"]);
    index.put(client, LONG_AGO);
    let world = traffic(index);
    let labels = |level| world.graph(level).nodes[0].kubernetes_labels.clone();
    let at_pod = labels(Level::Pod);
    assert_eq!(at_pod["topology.kubernetes.io/zone"], "zone-a");
    let of_workload = labels(Level::Workload);
    assert_eq!(of_workload.keys().collect::<Vec<_>>(), ["app"]);
}

#[test]
fn what_has_no_edge_is_there_when_it_is_asked_for() {
    let mut index = shop();
    for object in [
        object(ApiKind::Namespace, "", "shop", Body::Plain),
        object(ApiKind::Namespace, "", "empty", Body::Plain),
        workload(ApiKind::Deployment, "web"),
        workload(ApiKind::Deployment, "scaled-to-0"),
        of(
            workload(ApiKind::Job, "night-1"),
            owner(ApiKind::CronJob, "night"),
        ),
        workload(ApiKind::CronJob, "night"),
        pod("bare", "n2", &["10.0.2.9"]),
        with_pod(pod("over", "n2", &[]), |pod| pod.phase = Phase::Succeeded),
    ] {
        index.put(object, LONG_AGO);
    }
    let world = traffic(index);
    let ids = |level| -> Vec<String> {
        let part = Part {
            level,
            unconnected: true,
            ..Part::default()
        };
        let query = Query {
            part,
            ..query(level)
        };
        let graph = build(&world.window, &query, &world.index).unwrap();
        graph.nodes.into_iter().map(|node| node.id).collect()
    };
    assert_eq!(
        ids(Level::Workload),
        [
            "cronjob:shop/night",
            "deployment:shop/client",
            "deployment:shop/scaled-to-0",
            "deployment:shop/web",
            "pod:uid-bare"
        ]
    );
    let pods = [
        "pod:uid-bare",
        "pod:uid-client-1",
        "pod:uid-web-1",
        "pod:uid-web-2",
    ];
    assert_eq!(ids(Level::Pod), pods);
    assert_eq!(ids(Level::Namespace), ["namespace:empty", "namespace:shop"]);
    assert_eq!(ids(Level::Node), ["node:n1", "node:n2"]);
}

#[test]
fn a_focus_is_found_by_namespace_and_name() {
    let world = traffic(shop());
    for focus in ["web", "shop/web", "deployment:shop/web"] {
        let mut query = query(Level::Workload);
        query.part.focus = Some(Focus {
            node: focus.to_owned(),
            hops: 1,
            direction: Direction::default(),
        });
        let graph = build(&world.window, &query, &world.index).unwrap();
        assert_eq!(graph.edges.len(), 1, "{focus}");
    }
}
