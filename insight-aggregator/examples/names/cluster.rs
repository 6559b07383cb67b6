//! The objects of a large cluster: Deployments of fifty pods, each with a Service, over nodes of a hundred pods.

use std::net::{IpAddr, Ipv4Addr};

use insight_aggregator::kubernetes::object::{
    ApiKind, Backend, Body, Container, ContainerPort, ContainerRole, EndpointSlice, EndpointsPort,
    Labels, Meta, Node, Object, Owner, Phase, Pod, Service, ServicePort, ServiceType, TargetPort,
    Text, Texts, Workload,
};
use insight_aggregator::model::Protocol;

/// Pods of a Deployment.
pub(super) const REPLICAS: u64 = 50;
/// Pods of a node.
const ON_A_NODE: u64 = 100;
/// Containers of a pod: its own, and a sidecar.
const CONTAINERS: [&str; 2] = ["main", "proxy"];

/// All of them, each text with memory of its own.
pub(super) fn objects(pods: u64) -> impl Iterator<Item = Object> {
    let nodes = (0..pods.div_ceil(ON_A_NODE)).map(node);
    let deployments = 0..pods / REPLICAS;
    let made = deployments.flat_map(|number| {
        let set = owned(
            object(ApiKind::ReplicaSet, &set_name(number), workload()),
            ApiKind::Deployment,
            &name(number),
        );
        [
            object(ApiKind::Deployment, &name(number), workload()),
            set,
            object(ApiKind::Service, &name(number), service(number)),
            object(
                ApiKind::EndpointSlice,
                &format!("{}-x", name(number)),
                slice(number),
            ),
        ]
    });
    nodes
        .chain(made)
        .chain((0..pods).map(|number| pod(number, false)))
}

/// Every pod with a change such as a restart makes.
pub(super) fn changed(pods: u64) -> impl Iterator<Item = Object> {
    (0..pods).map(|number| pod(number, true))
}

/// The address of a pod.
pub(super) fn address(pod: u64) -> IpAddr {
    let below = u32::try_from(pod).unwrap_or(0);
    Ipv4Addr::from(0x0a00_0001 + below).into()
}

/// The UID of a pod.
pub(super) fn uid(pod: u64) -> String {
    format!("{pod:08x}-5bb5-4297-b544-85f3bc0d80bf")
}

/// The id of a pod's own container.
pub(super) fn container_id(pod: u64, container: usize) -> String {
    format!("{pod:016x}{container:048x}")
}

/// The node of a pod.
pub(super) fn node_of(pod: u64) -> String {
    format!("node-{}", pod / ON_A_NODE)
}

fn name(deployment: u64) -> String {
    format!("service-number-{deployment}")
}

fn set_name(deployment: u64) -> String {
    format!("{}-6d4cf56db6", name(deployment))
}

fn object(kind: ApiKind, name: &str, body: Body) -> Object {
    Object {
        meta: Meta {
            uid: Text::from(format!("{}-{name}", kind.name())),
            kind,
            namespace: "shop".into(),
            name: name.into(),
            labels: labels(name),
            controller: None,
            owners: Box::default(),
            created: 0,
            deleting: None,
        },
        body,
    }
}

fn labels(name: &str) -> Labels {
    [
        ("app.kubernetes.io/name", name),
        ("app.kubernetes.io/part-of", "shop"),
        ("app.kubernetes.io/version", "1.2.3"),
        ("pod-template-hash", "6d4cf56db6"),
    ]
    .into_iter()
    .map(|(key, value)| (Text::from(key), Text::from(value)))
    .collect()
}

fn owned(mut object: Object, kind: ApiKind, name: &str) -> Object {
    object.meta.controller = Some(Owner {
        uid: Text::from(format!("{}-{name}", kind.name())),
        kind,
        name: name.into(),
    });
    object
}

fn workload() -> Body {
    Body::Workload(Box::new(Workload {
        replicas: 50,
        ready: 50,
        selector: None,
        images: Box::default(),
        generation: 1,
    }))
}

fn node(number: u64) -> Object {
    let name = format!("node-{number}");
    let address = Ipv4Addr::from(0xc0a8_0001 + u32::try_from(number).unwrap_or(0));
    let node = Node {
        addresses: Box::new([address.into()]),
        zone: format!("zone-{}", number % 3).into(),
        pod_ranges: Box::default(),
        ready: true,
        unschedulable: false,
        kubelet_port: 10250,
        kubelet_version: "v1.36.3".into(),
        kernel: "6.18".into(),
    };
    object(ApiKind::Node, &name, Body::Node(Box::new(node)))
}

fn service(number: u64) -> Body {
    let address = Ipv4Addr::from(0x0a80_0001 + u32::try_from(number).unwrap_or(0));
    Body::Service(Box::new(Service {
        service_type: ServiceType::ClusterIp,
        cluster_addresses: Box::new([address.into()]),
        external_addresses: Box::default(),
        external_name: "".into(),
        selector: Some(labels(&name(number))),
        ports: Box::new([ServicePort {
            name: "http".into(),
            port: 80,
            target: TargetPort::Number(8080),
            node_port: 0,
            protocol: Protocol::Tcp,
        }]),
    }))
}

fn slice(number: u64) -> Body {
    let pods = number * REPLICAS..(number + 1) * REPLICAS;
    let backend = |pod| Backend {
        addresses: Box::new([address(pod)]),
        ready: true,
        target: Some(Owner {
            kind: ApiKind::Pod,
            name: pod_name(pod).into(),
            uid: uid(pod).into(),
        }),
        node: node_of(pod).into(),
    };
    Body::EndpointSlice(Box::new(EndpointSlice {
        service: name(number).into(),
        ports: Box::new([EndpointsPort {
            name: "http".into(),
            port: 8080,
            protocol: Protocol::Tcp,
        }]),
        backends: pods.map(backend).collect(),
    }))
}

fn pod_name(pod: u64) -> String {
    format!("{}-{pod:05x}", set_name(pod / REPLICAS))
}

fn pod(number: u64, is_restarted: bool) -> Object {
    let deployment = number / REPLICAS;
    let container = |(index, name): (usize, &&str)| Container {
        name: (*name).into(),
        role: ContainerRole::Main,
        image: format!("registry.example/shop/{name}:1.2.3").into(),
        image_id: format!("registry.example/shop/{name}@sha256:{:064x}", 7).into(),
        id: format!("containerd://{}", container_id(number, index)).into(),
        last_id: Box::default(),
        restarts: u32::from(is_restarted),
        ready: true,
        state: "running".into(),
        ports: Box::new([ContainerPort {
            name: "http".into(),
            port: 8080,
            host_port: 0,
            protocol: Protocol::Tcp,
        }]),
    };
    let pod = Pod {
        node: node_of(number).into(),
        phase: Phase::Running,
        ready: true,
        addresses: Box::new([address(number)]),
        host_network: false,
        node_uid: None,
        started: Some(0),
        ended: None,
        containers: CONTAINERS.iter().enumerate().map(container).collect(),
        claims: Box::default(),
    };
    let mut object = object(ApiKind::Pod, &pod_name(number), Body::Pod(Box::new(pod)));
    object.meta.uid = uid(number).into();
    object.meta.labels = labels(&name(deployment));
    owned(object, ApiKind::ReplicaSet, &set_name(deployment))
}

/// The object as the watch makes it: texts that others share are shared.
pub(super) fn interned(mut object: Object, texts: &mut Texts) -> Object {
    let meta = &mut object.meta;
    for text in [&mut meta.namespace, &mut meta.name, &mut meta.uid] {
        *text = texts.intern(text);
    }
    let pairs = meta.labels.iter().map(|(key, value)| (&**key, &**value));
    meta.labels = texts.labels(pairs);
    if let Some(owner) = &mut meta.controller {
        owner.name = texts.intern(&owner.name);
        owner.uid = texts.intern(&owner.uid);
    }
    match &mut object.body {
        Body::Pod(pod) => {
            pod.node = texts.intern(&pod.node);
            for container in &mut pod.containers {
                for text in [
                    &mut container.name,
                    &mut container.image,
                    &mut container.image_id,
                    &mut container.state,
                ] {
                    *text = texts.intern(text);
                }
                for port in &mut container.ports {
                    port.name = texts.intern(&port.name);
                }
            }
        }
        Body::EndpointSlice(slice) => {
            for backend in &mut slice.backends {
                backend.node = texts.intern(&backend.node);
                if let Some(target) = &mut backend.target {
                    target.uid = texts.intern(&target.uid);
                    target.name = texts.intern(&target.name);
                }
            }
        }
        _ => {}
    }
    object
}
