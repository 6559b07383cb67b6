//! Objects for tests, in few words.

use std::net::IpAddr;

use super::object::{
    ApiKind, Backend, Body, Container, ContainerPort, ContainerRole, EndpointSlice, EndpointsPort,
    Labels, Meta, Node, Object, Owner, Phase, Pod, Service, ServicePort, ServiceType, TargetPort,
    Text, Workload,
};
use crate::model::{Protocol, UnixMs};

/// An object without labels and owners, whose UID is its name with `uid-` before it.
pub(crate) fn object(kind: ApiKind, namespace: &str, name: &str, body: Body) -> Object {
    Object {
        meta: Meta {
            kind,
            namespace: namespace.into(),
            name: name.into(),
            uid: format!("uid-{name}").into(),
            labels: Labels::from([]),
            controller: None,
            owners: Box::default(),
            created: 0,
            deleting: None,
        },
        body,
    }
}

/// Labels as `key=value`.
pub(crate) fn labels(pairs: &[&str]) -> Labels {
    let pair = |text: &&str| {
        let (key, value) = text.split_once('=').unwrap();
        (Text::from(key), Text::from(value))
    };
    pairs.iter().map(pair).collect()
}

/// The object of that kind and name as an owner.
pub(crate) fn owner(kind: ApiKind, name: &str) -> Owner {
    Owner {
        kind,
        name: name.into(),
        uid: format!("uid-{name}").into(),
    }
}

/// A running pod with one container `main`, whose id is `containerd://` and the pod's name with `1` behind.
pub(crate) fn pod(name: &str, node: &str, addresses: &[&str]) -> Object {
    let container = Container {
        name: "main".into(),
        role: ContainerRole::Main,
        image: "shop/main:1".into(),
        image_id: "sha256:1".into(),
        id: format!("containerd://{name}1").into(),
        last_id: Box::default(),
        restarts: 0,
        ready: true,
        state: "running".into(),
        ports: Box::default(),
    };
    let pod = Pod {
        node: node.into(),
        phase: Phase::Running,
        ready: true,
        addresses: parsed(addresses),
        host_network: false,
        node_uid: None,
        started: Some(0),
        ended: None,
        containers: Box::new([container]),
        claims: Box::default(),
    };
    object(ApiKind::Pod, "shop", name, Body::Pod(Box::new(pod)))
}

/// Changes the pod that an object is.
pub(crate) fn with_pod(mut object: Object, change: impl FnOnce(&mut Pod)) -> Object {
    match &mut object.body {
        Body::Pod(pod) => change(pod),
        other => panic!("no pod: {other:?}"),
    }
    object
}

/// The object with this controller.
pub(crate) fn of(mut object: Object, controller: Owner) -> Object {
    object.meta.controller = Some(controller);
    object
}

/// A port that the first container listens on.
pub(crate) fn listening(object: Object, port: u16) -> Object {
    with_pod(object, |pod| {
        pod.containers[0].ports = Box::new([ContainerPort {
            name: "main".into(),
            port,
            host_port: 0,
            protocol: Protocol::Tcp,
        }]);
    })
}

/// A node.
pub(crate) fn node(name: &str, zone: &str, addresses: &[&str]) -> Object {
    let node = Node {
        addresses: parsed(addresses),
        zone: zone.into(),
        pod_ranges: Box::default(),
        ready: true,
        unschedulable: false,
        kubelet_port: 10250,
        kubelet_version: "v1.36.3".into(),
        kernel: "6.18".into(),
    };
    object(ApiKind::Node, "", name, Body::Node(Box::new(node)))
}

/// A Service of namespace `shop` with one port of TCP that leads to `target`.
pub(crate) fn service(name: &str, addresses: &[&str], port: u16, target: u16) -> Object {
    let service = Service {
        service_type: ServiceType::ClusterIp,
        cluster_addresses: parsed(addresses),
        external_addresses: Box::default(),
        external_name: "".into(),
        selector: None,
        ports: Box::new([ServicePort {
            name: "".into(),
            port,
            target: TargetPort::Number(target),
            node_port: 0,
            protocol: Protocol::Tcp,
        }]),
    };
    object(
        ApiKind::Service,
        "shop",
        name,
        Body::Service(Box::new(service)),
    )
}

/// The EndpointSlice of a Service, with its pods' names.
pub(crate) fn slice(service: &str, port: u16, pods: &[&str]) -> Object {
    let backend = |pod: &&str| Backend {
        addresses: Box::default(),
        ready: true,
        target: Some(owner(ApiKind::Pod, pod)),
        node: "n1".into(),
    };
    let slice = EndpointSlice {
        service: service.into(),
        ports: Box::new([EndpointsPort {
            name: "".into(),
            port,
            protocol: Protocol::Tcp,
        }]),
        backends: pods.iter().map(backend).collect(),
    };
    let name = format!("{service}-x");
    object(
        ApiKind::EndpointSlice,
        "shop",
        &name,
        Body::EndpointSlice(Box::new(slice)),
    )
}

/// A Deployment, ReplicaSet or another of the sort, in namespace `shop`.
pub(crate) fn workload(kind: ApiKind, name: &str) -> Object {
    let workload = Workload {
        replicas: 1,
        ready: 1,
        selector: None,
        images: Box::default(),
        generation: 1,
    };
    object(kind, "shop", name, Body::Workload(Box::new(workload)))
}

fn parsed(addresses: &[&str]) -> Box<[IpAddr]> {
    addresses.iter().map(|text| text.parse().unwrap()).collect()
}

/// Seconds.
pub(crate) const S: UnixMs = 1000;
