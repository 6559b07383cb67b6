//! The index, told of objects by plain calls.

use super::super::object::{ApiKind, Object, Text};
use super::super::testing::{
    S, labels, listening, node, of, owner, pod, service, slice, with_pod, workload,
};
use super::{Holder, Index, Key};
use crate::model::{Protocol, UnixMs};

fn index(objects: impl IntoIterator<Item = Object>) -> Index {
    let mut index = Index::default();
    objects.into_iter().for_each(|object| index.put(object, S));
    index
}

fn workload_of(index: &Index, uid: &str) -> String {
    let name = index.workload(index.pod(uid).unwrap());
    format!("{} {}/{}", name.kind.name(), name.namespace, name.name)
}

fn key(name: &str) -> Key {
    ("shop".into(), name.into())
}

fn holders(index: &Index, address: &str, from: UnixMs, to: UnixMs) -> Vec<String> {
    let holders = index.holders(address.parse().unwrap(), from, to);
    holders
        .map(|holder| match holder {
            Holder::Pod(uid) => format!("pod {uid}"),
            Holder::Service((namespace, name)) => format!("service {namespace}/{name}"),
            Holder::Node(name) => format!("node {name}"),
        })
        .collect()
}

fn gone(index: &mut Index, object: &Object, at: UnixMs) {
    let meta = &object.meta;
    index.gone(&meta.kind, &meta.namespace, &meta.name, &meta.uid, at);
}

#[test]
fn a_pod_is_part_of_what_somebody_created() {
    let set = of(
        workload(ApiKind::ReplicaSet, "web-7"),
        owner(ApiKind::Deployment, "web"),
    );
    let job = of(
        workload(ApiKind::Job, "night-1"),
        owner(ApiKind::CronJob, "night"),
    );
    let rollout = ApiKind::of("Rollout", "argoproj.io");
    let foreign = of(
        workload(ApiKind::ReplicaSet, "pay-1"),
        owner(rollout, "pay"),
    );
    let by = |name, kind, owner_name| of(pod(name, "n1", &[]), owner(kind, owner_name));
    let mut hashed = by("late-9-z", ApiKind::ReplicaSet, "late-9");
    hashed.meta.labels = labels(&["pod-template-hash=9"]);
    let index = index([
        set,
        job,
        foreign,
        workload(ApiKind::Deployment, "web"),
        by("web-7-a", ApiKind::ReplicaSet, "web-7"),
        by("night-1-b", ApiKind::Job, "night-1"),
        by("pay-1-c", ApiKind::ReplicaSet, "pay-1"),
        by("db-0", ApiKind::StatefulSet, "db"),
        by("etcd-n1", ApiKind::Node, "n1"),
        hashed,
        pod("alone", "n1", &[]),
    ]);
    for (uid, expected) in [
        ("uid-web-7-a", "Deployment shop/web"),
        ("uid-night-1-b", "CronJob shop/night"),
        ("uid-pay-1-c", "Rollout shop/pay"),
        ("uid-db-0", "StatefulSet shop/db"),
        ("uid-etcd-n1", "Pod shop/etcd-n1"),
        ("uid-late-9-z", "Deployment shop/late"),
        ("uid-alone", "Pod shop/alone"),
    ] {
        assert_eq!(workload_of(&index, uid), expected);
    }
}

#[test]
fn what_is_gone_keeps_its_name_for_a_day() {
    let set = of(
        workload(ApiKind::ReplicaSet, "web-7"),
        owner(ApiKind::Deployment, "web"),
    );
    let web = of(
        pod("web-7-a", "n1", &["10.0.0.1"]),
        owner(ApiKind::ReplicaSet, "web-7"),
    );
    let mut index = index([set.clone(), web.clone()]);
    gone(&mut index, &web, 10 * S);
    gone(&mut index, &set, 11 * S);
    index.put(pod("other", "n1", &[]), 3_600 * S);
    assert_eq!(workload_of(&index, "uid-web-7-a"), "Deployment shop/web");
    assert_eq!(index.get(&ApiKind::Pod, "shop", "web-7-a"), None);
    index.put(pod("later", "n1", &[]), 90_000 * S);
    assert!(index.pod("uid-web-7-a").is_none());
    assert!(holders(&index, "10.0.0.1", 0, 90_000 * S).is_empty());
}

#[test]
fn a_late_deletion_does_not_remove_who_came_after() {
    let mut old = pod("db-0", "n1", &["10.0.0.1"]);
    old.meta.uid = "old".into();
    let new = with_pod(pod("db-0", "n1", &["10.0.0.2"]), |pod| {
        pod.started = Some(50 * S);
    });
    let mut index = index([old.clone()]);
    index.put(new, 60 * S);
    gone(&mut index, &old, 70 * S);
    let living = index.get(&ApiKind::Pod, "shop", "db-0").unwrap();
    assert_eq!(&*living.object.meta.uid, "uid-db-0");
    assert!(index.pod("old").is_some(), "remembered");
    assert_eq!(
        holders(&index, "10.0.0.2", 60 * S, 99 * S),
        ["pod uid-db-0"]
    );
    assert!(holders(&index, "10.0.0.1", 60 * S, 99 * S).is_empty());
}

#[test]
fn a_listing_ends_what_it_does_not_hold() {
    let mut index = index([
        pod("a", "n1", &["10.0.0.1"]),
        pod("b", "n1", &["10.0.0.2"]),
        node("n1", "", &[]),
    ]);
    index.list_started(&ApiKind::Pod);
    index.put(pod("b", "n1", &["10.0.0.2"]), 20 * S);
    assert!(index.get(&ApiKind::Pod, "shop", "a").is_some(), "not yet");
    index.list_ended(&ApiKind::Pod, 21 * S);
    assert!(index.get(&ApiKind::Pod, "shop", "a").is_none());
    assert!(index.get(&ApiKind::Pod, "shop", "b").is_some());
    assert!(
        index.get(&ApiKind::Node, "", "n1").is_some(),
        "another kind"
    );
    assert!(holders(&index, "10.0.0.1", 22 * S, 30 * S).is_empty());
}

#[test]
fn addresses_have_holders_of_all_sorts() {
    let mut index = index([
        pod("web", "n1", &["10.0.0.1", "fd00::1"]),
        with_pod(pod("proxy", "n1", &["192.168.0.1"]), |pod| {
            pod.host_network = true;
        }),
        node("n1", "zone-a", &["192.168.0.1"]),
        service("web", &["10.96.0.1", "fd00:96::1"], 80, 8080),
    ]);
    for (address, expected) in [
        ("10.0.0.1", "pod uid-web"),
        ("fd00::1", "pod uid-web"),
        ("192.168.0.1", "node n1"),
        ("10.96.0.1", "service shop/web"),
        ("fd00:96::1", "service shop/web"),
    ] {
        assert_eq!(holders(&index, address, S, 2 * S), [expected]);
    }
    assert_eq!(index.zone("n1").map(|zone| &**zone), Some("zone-a"));
    // A pod that ended keeps its address in the API, but nobody answers there.
    let ended = with_pod(pod("web", "n1", &["10.0.0.1"]), |pod| {
        pod.ended = Some(30 * S);
    });
    index.put(ended, 31 * S);
    assert!(holders(&index, "10.0.0.1", 30 * S, 40 * S).is_empty());
    assert!(holders(&index, "fd00::1", 32 * S, 40 * S).is_empty());
    assert_eq!(holders(&index, "10.0.0.1", 29 * S, 40 * S), ["pod uid-web"]);
}

#[test]
fn a_service_knows_its_pods_over_time() {
    let mut index = index([
        service("web", &["10.96.0.1"], 80, 8080),
        slice("web", 8081, &["a", "b"]),
    ]);
    let at = |index: &Index, from, to| -> Vec<String> {
        let mut pods: Vec<String> = index
            .backends(&key("web"), from, to)
            .map(ToString::to_string)
            .collect();
        pods.sort();
        pods
    };
    assert_eq!(at(&index, S, S), ["uid-a", "uid-b"]);
    index.put(slice("web", 8081, &["b", "c"]), 50 * S);
    assert_eq!(at(&index, 60 * S, 70 * S), ["uid-b", "uid-c"]);
    assert_eq!(at(&index, 40 * S, 70 * S), ["uid-a", "uid-b", "uid-c"]);
    assert_eq!(at(&index, 2 * S, 40 * S), ["uid-a", "uid-b"]);
    let services: Vec<&Key> = index.services_of("uid-c").collect();
    assert_eq!(services, [&key("web")]);

    let found = index.service(&key("web"), 80, Protocol::Tcp).unwrap();
    let port = found.port.unwrap();
    assert_eq!(
        index
            .backend_ports(&key("web"), port)
            .into_iter()
            .collect::<Vec<_>>(),
        [8081]
    );
    assert!(
        index
            .service(&key("web"), 81, Protocol::Tcp)
            .unwrap()
            .port
            .is_none()
    );

    gone(&mut index, &slice("web", 8081, &[]), 80 * S);
    assert!(at(&index, 81 * S, 90 * S).is_empty());
    let port = index
        .service(&key("web"), 80, Protocol::Tcp)
        .unwrap()
        .port
        .unwrap();
    let target = index.backend_ports(&key("web"), port);
    assert_eq!(target.into_iter().collect::<Vec<_>>(), [8080], "the target");
}

#[test]
fn pods_are_found_by_what_an_agent_sees() {
    let fixed = |name: &str, node: &str| {
        listening(
            with_pod(pod(name, node, &["192.168.0.1"]), |pod| {
                pod.host_network = true;
            }),
            9100,
        )
    };
    let mut mirror = pod("etcd-n1", "n1", &[]);
    mirror = with_pod(mirror, |pod| pod.node_uid = Some("confighash".into()));
    let mut index = index([
        mirror,
        fixed("exporter-1", "n1"),
        fixed("exporter-2", "n2"),
        pod("web", "n1", &[]),
    ]);
    assert_eq!(&*index.pod("confighash").unwrap().meta.name, "etcd-n1");
    let on = |index: &Index, node, port| index.on_port(node, port, Protocol::Tcp).cloned();
    assert_eq!(on(&index, "n1", 9100), Some(Text::from("uid-exporter-1")));
    assert_eq!(on(&index, "n2", 9100), Some(Text::from("uid-exporter-2")));
    assert_eq!(on(&index, "n1", 9101), None);

    // Three restarts: the API tells of the last container and the one before it.
    for id in 2..=4 {
        let again = with_pod(pod("web", "n1", &[]), |pod| {
            pod.containers[0].last_id = format!("containerd://web{}", id - 1).into();
            pod.containers[0].id = format!("containerd://web{id}").into();
        });
        index.put(again, id * S);
    }
    let web = index.pod("uid-web").unwrap();
    for id in ["web1", "web2", "web3", "web4"] {
        assert_eq!(
            index.container_name(web, id).map(|name| &**name),
            Some("main"),
            "{id}"
        );
    }
    assert_eq!(index.container_name(web, "web5"), None);
}
