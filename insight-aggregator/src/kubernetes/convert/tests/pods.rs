use std::net::IpAddr;

use serde_json::{Value, json};

use super::*;

fn pod_of(text: Value) -> (Meta, Pod) {
    let object = converted(pod, text);
    match object.body {
        Body::Pod(pod) => (object.meta, *pod),
        other => panic!("{other:?}"),
    }
}

/// A dual-stack pod of a Deployment with an init container that has ended, a sidecar, a container that was restarted, and one for debugging.
fn web() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-7d4b9c-x2x4z", "namespace": "shop", "uid": "0f6a", "resourceVersion": "4711",
            "creationTimestamp": "2026-03-01T10:00:00Z",
            "deletionTimestamp": "2026-03-01T11:00:30Z", "deletionGracePeriodSeconds": 30,
            "labels": {"app": "web", "pod-template-hash": "7d4b9c"},
            "annotations": {"kubernetes.io/config.source": "api", "note": "hunter2"},
            "ownerReferences": [
                {"apiVersion": "example.com/v1", "kind": "Batch", "name": "b1", "uid": "77"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9c", "uid": "55",
                 "controller": true, "blockOwnerDeletion": true}
            ],
            "managedFields": [{"manager": "kubelet", "operation": "Update"}]
        },
        "spec": {
            "nodeName": "node-a", "restartPolicy": "Always",
            "initContainers": [
                {"name": "migrate", "image": "shop/migrate:1", "env": [{"name": "PASSWORD", "value": "hunter2"}]},
                {"name": "proxy", "image": "envoy:1.30", "restartPolicy": "Always", "ports": [{"containerPort": 15001}]}
            ],
            "containers": [{
                "name": "web", "image": "shop/web:2", "args": ["--token=hunter2"],
                "env": [{"name": "PASSWORD", "value": "hunter2"}],
                "ports": [
                    {"name": "http", "containerPort": 8080, "hostPort": 80, "protocol": "TCP"},
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                    {"name": "diameter", "containerPort": 3868, "protocol": "SCTP"}
                ]
            }],
            "ephemeralContainers": [{"name": "debugger-1", "image": "busybox", "targetContainerName": "web"}],
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}},
                {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "keys", "secret": {"secretName": "hunter2"}}
            ]
        },
        "status": {
            "phase": "Running", "podIP": "10.244.1.7", "podIPs": [{"ip": "10.244.1.7"}, {"ip": "fd00:1::7"}],
            "hostIP": "192.168.0.11", "startTime": "2026-03-01T10:00:02Z",
            "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
            "initContainerStatuses": [
                {"name": "migrate", "image": "shop/migrate:1", "imageID": "sha256:m", "ready": true, "restartCount": 0,
                 "containerID": "containerd://a1", "lastState": {},
                 "state": {"terminated": {"exitCode": 0, "reason": "Completed", "containerID": "containerd://a1",
                     "startedAt": "2026-03-01T10:00:03Z", "finishedAt": "2026-03-01T10:00:04Z"}}},
                {"name": "proxy", "image": "envoy:1.30", "imageID": "sha256:e", "ready": true, "restartCount": 0,
                 "containerID": "containerd://a2", "lastState": {},
                 "state": {"running": {"startedAt": "2026-03-01T10:00:05Z"}}}
            ],
            "containerStatuses": [
                {"name": "web", "image": "shop/web:2", "imageID": "sha256:w", "ready": true, "restartCount": 1,
                 "containerID": "containerd://a4", "state": {"running": {"startedAt": "2026-03-01T10:10:00Z"}},
                 "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "containerID": "containerd://a3",
                     "finishedAt": "2026-03-01T10:09:59Z"}}}
            ],
            "ephemeralContainerStatuses": [
                {"name": "debugger-1", "image": "busybox", "imageID": "", "ready": false, "restartCount": 0,
                 "state": {"waiting": {"reason": "ImagePullBackOff", "message": "hunter2"}}, "lastState": {}}
            ]
        }
    })
}

#[test]
fn a_pod_has_its_owner_addresses_and_times() {
    let (meta, pod) = pod_of(web());
    assert_eq!(meta.kind, ApiKind::Pod);
    assert_eq!((&*meta.namespace, &*meta.uid), ("shop", "0f6a"));
    assert_eq!(
        meta.labels,
        labels(&[("app", "web"), ("pod-template-hash", "7d4b9c")])
    );
    let replica_set = owner(ApiKind::ReplicaSet, "web-7d4b9c", "55");
    assert_eq!(meta.controller, Some(replica_set));
    let batch = owner(ApiKind::of("Batch", "example.com"), "b1", "77");
    assert_eq!(*meta.owners, [batch]);
    assert_eq!((meta.created, meta.deleting), (at(0), Some(at(3_630))));

    let addresses = ["10.244.1.7", "fd00:1::7"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(*pod.addresses, addresses);
    assert_eq!((&*pod.node, pod.host_network), ("node-a", false));
    assert_eq!((pod.phase, pod.ready), (Phase::Running, true));
    assert_eq!((pod.started, pod.ended), (Some(at(2)), None));
    assert_eq!(pod.node_uid, None);
    let claims: Vec<&str> = pod.claims.iter().map(|claim| &**claim).collect();
    assert_eq!(claims, ["web-data", "web-7d4b9c-x2x4z-scratch"]);
}

#[test]
fn containers_of_all_roles_have_their_ids_and_states() {
    use ContainerRole::{Ephemeral, Init, Main, Sidecar};
    let (_, pod) = pod_of(web());
    let seen: Vec<_> = pod
        .containers
        .iter()
        .map(|of| (of.role, &*of.name, &*of.id, &*of.last_id, &*of.state))
        .collect();
    assert_eq!(
        seen,
        [
            (
                Init,
                "migrate",
                "containerd://a1",
                "",
                "terminated: Completed"
            ),
            (Sidecar, "proxy", "containerd://a2", "", "running"),
            (Main, "web", "containerd://a4", "containerd://a3", "running"),
            (Ephemeral, "debugger-1", "", "", "waiting: ImagePullBackOff"),
        ]
    );
    let web = &pod.containers[2];
    assert_eq!((&*web.image, &*web.image_id), ("shop/web:2", "sha256:w"));
    assert_eq!((web.restarts, web.ready), (1, true));
    let ports: Vec<_> = web
        .ports
        .iter()
        .map(|of| (&*of.name, of.port, of.host_port, of.protocol))
        .collect();
    let expected = [
        ("http", 8080, 80, Protocol::Tcp),
        ("dns", 53, 0, Protocol::Udp),
    ];
    assert_eq!(ports, expected, "no flow is of SCTP");
    assert_eq!(pod.containers[1].ports[0].protocol, Protocol::Tcp);
}

#[test]
fn nothing_that_may_be_secret_is_kept() {
    let mut texts = Texts::default();
    let object = pod(&parsed(web()), &mut texts);
    let kept = format!("{object:?} {texts:?}");
    assert!(kept.contains("shop/web:2"));
    assert!(!kept.contains("hunter2"), "{kept}");
}

#[test]
fn a_static_pod_is_called_by_its_hash_on_its_node() {
    let hash = "1e0ae9b5a7ea2d5e5fbb1c6f6ab1a23c";
    let (meta, pod) = pod_of(json!({
        "metadata": {
            "name": "etcd-node-a", "namespace": "kube-system", "uid": "8c1f", "creationTimestamp": "2026-03-01T10:00:00Z",
            "annotations": {
                "kubernetes.io/config.hash": hash, "kubernetes.io/config.mirror": hash,
                "kubernetes.io/config.seen": "2026-03-01T09:59:00Z", "kubernetes.io/config.source": "file"
            },
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "n1", "controller": true}]
        },
        "spec": {"nodeName": "node-a", "hostNetwork": true, "containers": [{"name": "etcd"}]},
        "status": {"phase": "Running", "hostIP": "192.168.0.11", "podIP": "192.168.0.11", "podIPs": [{"ip": "192.168.0.11"}]}
    }));
    assert_eq!(pod.node_uid.as_deref(), Some(hash));
    assert!(pod.host_network);
    assert_eq!(pod.addresses.len(), 1);
    assert_eq!(meta.controller, Some(owner(ApiKind::Node, "node-a", "n1")));
    assert_eq!((pod.ready, &*pod.containers[0].id), (false, ""));
}

#[test]
fn a_pod_that_is_not_bound_has_neither_node_nor_address() {
    let (_, pod) = pod_of(json!({
        "metadata": {"name": "a", "namespace": "b", "uid": "c"},
        "spec": {"containers": [{"name": "a"}]},
        "status": {"phase": "Pending", "qosClass": "BestEffort"}
    }));
    assert_eq!((&*pod.node, pod.phase), ("", Phase::Pending));
    assert!(pod.addresses.is_empty());
    assert_eq!((pod.started, pod.ended), (None, None));
}

/// When a pod of this phase with containers in these states has ended.
fn ended(phase: &str, states: &[Value]) -> Option<UnixMs> {
    let status = |(n, state): (usize, &Value)| json!({"name": format!("c{n}"), "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state});
    let statuses: Vec<Value> = states.iter().enumerate().map(status).collect();
    let (_, pod) = pod_of(json!({
        "metadata": {"name": "a", "namespace": "b", "uid": "c"},
        "spec": {"containers": []},
        "status": {"phase": phase, "containerStatuses": statuses}
    }));
    pod.ended
}

#[test]
fn a_pod_has_ended_when_all_of_its_containers_are_known_to_have() {
    let done = |second: &str| {
        let time = format!("2026-03-01T10:00:{second}Z");
        json!({"terminated": {"exitCode": 0, "finishedAt": time}})
    };
    let running = json!({"running": {"startedAt": "2026-03-01T10:00:00Z"}});
    let waiting = json!({"waiting": {"reason": "PodInitializing"}});
    let unseen = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "finishedAt": null}});
    let (early, late) = (done("05"), done("07"));
    let all = [late, early.clone()];
    assert_eq!(ended("Succeeded", &all), Some(at(8)), "the end of a second");
    assert_eq!(ended("Failed", &[waiting, early.clone()]), Some(at(6)));
    assert_eq!(ended("Running", &all), None, "it is started again");
    assert_eq!(
        ended("Failed", &[early.clone(), running]),
        None,
        "its node is lost"
    );
    assert_eq!(ended("Failed", &[early, unseen]), None);
    assert_eq!(ended("Failed", &[]), None);
}
