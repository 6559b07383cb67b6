//! Objects in a line or two.

use crate::kubernetes::object::{
    ApiKind, Backend, Body, Container, ContainerRole, EndpointSlice, Labels, Meta, Node, Object,
    Owner, Phase, Pod, Related, Relation, Selector, Service, ServicePort, ServiceType, Target,
    TargetPort, Text, Workload,
};
use crate::model::Protocol;

use super::START;

/// Metadata; the UID says kind, namespace and name.
pub(super) fn meta(kind: ApiKind, namespace: &str, name: &str) -> Meta {
    Meta {
        uid: uid(&kind, namespace, name),
        kind,
        namespace: namespace.into(),
        name: name.into(),
        labels: labels(&[]),
        controller: None,
        owners: Box::default(),
        created: START - 60_000,
        deleting: None,
    }
}

pub(super) fn uid(kind: &ApiKind, namespace: &str, name: &str) -> Text {
    Text::from(format!("{}-{namespace}-{name}", kind.name()))
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter();
    let mut pairs: Vec<(Text, Text)> = pairs.map(|(a, b)| ((*a).into(), (*b).into())).collect();
    pairs.sort_unstable();
    Labels::from(pairs)
}

pub(super) fn owner(kind: ApiKind, namespace: &str, name: &str) -> Owner {
    Owner {
        uid: uid(&kind, namespace, name),
        kind,
        name: name.into(),
    }
}

/// An object of which nothing but metadata is kept.
pub(super) fn plain(kind: ApiKind, namespace: &str, name: &str) -> Object {
    Object {
        meta: meta(kind, namespace, name),
        body: Body::Plain,
    }
}

pub(super) fn node(name: &str) -> Object {
    let body = Node {
        addresses: Box::new(["10.0.0.1".parse().unwrap()]),
        zone: "".into(),
        pod_ranges: Box::default(),
        ready: true,
        unschedulable: false,
        kubelet_port: 10_250,
        kubelet_version: "v1.36.0".into(),
        kernel: "6.18.0".into(),
    };
    Object {
        meta: meta(ApiKind::Node, "", name),
        body: Body::Node(Box::new(body)),
    }
}

/// A container that runs; its id is `containerd://NAME`, that of its image `docker.io/IMAGE@sha256:0`.
pub(super) fn container(id: &str, name: &str, image: &str) -> Container {
    Container {
        name: name.into(),
        role: ContainerRole::Main,
        image: image.into(),
        image_id: format!("docker.io/{image}@sha256:0").into(),
        id: format!("containerd://{id}").into(),
        last_id: "".into(),
        restarts: 0,
        ready: true,
        state: "running".into(),
        ports: Box::default(),
    }
}

/// A pod that runs on a node, with one container: `POD` of the image `IMAGE`.
pub(super) struct PodOf(pub(super) Meta, pub(super) Pod);

pub(super) fn pod(namespace: &str, name: &str, node: &str) -> PodOf {
    let body = Pod {
        node: node.into(),
        phase: Phase::Running,
        ready: true,
        addresses: Box::new(["10.1.0.7".parse().unwrap()]),
        host_network: false,
        node_uid: None,
        started: Some(START - 30_000),
        ended: None,
        containers: Box::default(),
        claims: Box::default(),
    };
    PodOf(meta(ApiKind::Pod, namespace, name), body)
}

impl PodOf {
    pub(super) fn labels(mut self, pairs: &[(&str, &str)]) -> Self {
        self.0.labels = labels(pairs);
        self
    }

    pub(super) fn controlled_by(mut self, kind: ApiKind, name: &str) -> Self {
        self.0.controller = Some(owner(kind, &self.0.namespace, name));
        self
    }

    pub(super) fn containers(mut self, containers: impl IntoIterator<Item = Container>) -> Self {
        self.1.containers = containers.into_iter().collect();
        self
    }

    /// One container of this image.
    pub(super) fn image(self, image: &str) -> Self {
        let one = container(&format!("{}-c", self.0.name), "main", image);
        self.containers([one])
    }
}

impl From<PodOf> for Object {
    fn from(PodOf(meta, pod): PodOf) -> Self {
        let body = Body::Pod(Box::new(pod));
        Self { meta, body }
    }
}

pub(super) fn service(namespace: &str, name: &str, selector: &[(&str, &str)]) -> Object {
    let body = Service {
        service_type: ServiceType::ClusterIp,
        cluster_addresses: Box::new(["10.96.0.9".parse().unwrap()]),
        external_addresses: Box::default(),
        external_name: "".into(),
        selector: some(selector),
        ports: Box::new([ServicePort {
            name: "http".into(),
            port: 80,
            target: TargetPort::Number(8080),
            node_port: 0,
            protocol: Protocol::Tcp,
        }]),
    };
    Object {
        meta: meta(ApiKind::Service, namespace, name),
        body: Body::Service(Box::new(body)),
    }
}

fn some(selector: &[(&str, &str)]) -> Selector {
    (!selector.is_empty()).then(|| labels(selector))
}

/// A slice of a Service, with these pods and whether each is ready.
pub(super) fn slice(namespace: &str, name: &str, service: &str, pods: &[(&str, bool)]) -> Object {
    let backend = |(name, ready): &(&str, bool)| Backend {
        addresses: Box::new(["10.1.0.7".parse().unwrap()]),
        ready: *ready,
        target: Some(owner(ApiKind::Pod, namespace, name)),
        node: "n1".into(),
    };
    let body = EndpointSlice {
        service: service.into(),
        ports: Box::default(),
        backends: pods.iter().map(backend).collect(),
    };
    Object {
        meta: meta(ApiKind::EndpointSlice, namespace, name),
        body: Body::EndpointSlice(Box::new(body)),
    }
}

pub(super) fn workload(
    kind: ApiKind,
    namespace: &str,
    name: &str,
    selector: &[(&str, &str)],
) -> Object {
    let body = Workload {
        replicas: 2,
        ready: 1,
        selector: some(selector),
        images: Box::new(["web:1".into()]),
        generation: 3,
    };
    Object {
        meta: meta(kind, namespace, name),
        body: Body::Workload(Box::new(body)),
    }
}

/// An object that leads to another.
pub(super) fn leads_to(
    (kind, namespace, name): (ApiKind, &str, &str),
    relation: Relation,
    target: (ApiKind, &str, &str),
) -> Object {
    let body = Related {
        targets: Box::new([Target {
            relation,
            kind: target.0,
            namespace: target.1.into(),
            name: target.2.into(),
        }]),
        selector: None,
    };
    Object {
        meta: meta(kind, namespace, name),
        body: Body::Related(Box::new(body)),
    }
}

/// An object that selects pods.
pub(super) fn selects(
    kind: ApiKind,
    namespace: &str,
    name: &str,
    selector: &[(&str, &str)],
) -> Object {
    let body = Related {
        targets: Box::default(),
        selector: Some(labels(selector)),
    };
    Object {
        meta: meta(kind, namespace, name),
        body: Body::Related(Box::new(body)),
    }
}
