//! Objects as they are stored.

use std::net::IpAddr;

use insight_proto::storage as stored;
use ipnet::IpNet;

use super::kind;
use crate::kubernetes::object::{
    Backend, Body, Container, ContainerRole, EndpointSlice, Labels, Node, Object, Owner, Phase,
    Pod, Related, Relation, Selector, Service, ServiceType, TargetPort, Text, Workload,
};
use crate::model::Protocol;

/// An object.
pub(super) fn object(of: &Object) -> stored::Object {
    let meta = &of.meta;
    let (kind, other_kind) = kind::encode(&meta.kind);
    stored::Object {
        kind,
        other_kind,
        namespace: meta.namespace.to_string(),
        name: meta.name.to_string(),
        uid: meta.uid.to_string(),
        labels: labels(&meta.labels),
        controller: meta.controller.as_ref().map(owner),
        owners: meta.owners.iter().map(owner).collect(),
        created: meta.created,
        deleting: meta.deleting,
        body: body(&of.body),
    }
}

/// An owner.
pub(super) fn owner(of: &Owner) -> stored::Owner {
    let (kind, other_kind) = kind::encode(&of.kind);
    stored::Owner {
        kind,
        other_kind,
        name: of.name.to_string(),
        uid: of.uid.to_string(),
    }
}

fn body(of: &Body) -> Option<stored::object::Body> {
    use stored::object::Body as To;
    Some(match of {
        Body::Pod(of) => To::Pod(pod(of)),
        Body::Node(of) => To::Node(node(of)),
        Body::Service(of) => To::Service(service(of)),
        Body::EndpointSlice(of) => To::EndpointSlice(slice(of)),
        Body::Workload(of) => To::Workload(workload(of)),
        Body::Related(of) => To::Related(related(of)),
        Body::Plain => return None,
    })
}

fn pod(of: &Pod) -> stored::Pod {
    stored::Pod {
        node: of.node.to_string(),
        phase: match of.phase {
            Phase::Unknown => 0,
            Phase::Pending => 1,
            Phase::Running => 2,
            Phase::Succeeded => 3,
            Phase::Failed => 4,
        },
        ready: of.ready,
        addresses: addresses(&of.addresses),
        host_network: of.host_network,
        node_uid: of.node_uid.as_deref().map(str::to_owned),
        started: of.started,
        ended: of.ended,
        containers: of.containers.iter().map(container).collect(),
        claims: strings(&of.claims),
    }
}

fn container(of: &Container) -> stored::Container {
    let port = |port: &crate::kubernetes::object::ContainerPort| stored::ContainerPort {
        name: port.name.to_string(),
        port: port.port.into(),
        host_port: port.host_port.into(),
        udp: is_udp(port.protocol),
    };
    stored::Container {
        name: of.name.to_string(),
        role: match of.role {
            ContainerRole::Main => 0,
            ContainerRole::Init => 1,
            ContainerRole::Sidecar => 2,
            ContainerRole::Ephemeral => 3,
        },
        image: of.image.to_string(),
        image_id: of.image_id.to_string(),
        id: of.id.to_string(),
        last_id: of.last_id.to_string(),
        restarts: of.restarts,
        ready: of.ready,
        state: of.state.to_string(),
        ports: of.ports.iter().map(port).collect(),
    }
}

fn node(of: &Node) -> stored::Node {
    stored::Node {
        addresses: addresses(&of.addresses),
        zone: of.zone.to_string(),
        pod_ranges: of.pod_ranges.iter().map(range).collect(),
        ready: of.ready,
        unschedulable: of.unschedulable,
        kubelet_port: of.kubelet_port.into(),
        kubelet_version: of.kubelet_version.to_string(),
        kernel: of.kernel.to_string(),
    }
}

fn service(of: &Service) -> stored::Service {
    let port = |port: &crate::kubernetes::object::ServicePort| {
        let (target, target_name) = match &port.target {
            TargetPort::Number(number) => (u32::from(*number), None),
            TargetPort::Name(name) => (0, Some(name.to_string())),
        };
        stored::ServicePort {
            name: port.name.to_string(),
            port: port.port.into(),
            target,
            target_name,
            node_port: port.node_port.into(),
            udp: is_udp(port.protocol),
        }
    };
    stored::Service {
        r#type: match of.service_type {
            ServiceType::ClusterIp => 0,
            ServiceType::NodePort => 1,
            ServiceType::LoadBalancer => 2,
            ServiceType::ExternalName => 3,
        },
        cluster_addresses: addresses(&of.cluster_addresses),
        external_addresses: addresses(&of.external_addresses),
        external_name: of.external_name.to_string(),
        selector: selector(&of.selector),
        ports: of.ports.iter().map(port).collect(),
    }
}

fn slice(of: &EndpointSlice) -> stored::EndpointSlice {
    let port = |port: &crate::kubernetes::object::EndpointsPort| stored::EndpointsPort {
        name: port.name.to_string(),
        port: port.port.into(),
        udp: is_udp(port.protocol),
    };
    let backend = |backend: &Backend| stored::Backend {
        addresses: addresses(&backend.addresses),
        ready: backend.ready,
        target: backend.target.as_ref().map(owner),
        node: backend.node.to_string(),
    };
    stored::EndpointSlice {
        service: of.service.to_string(),
        ports: of.ports.iter().map(port).collect(),
        backends: of.backends.iter().map(backend).collect(),
    }
}

fn workload(of: &Workload) -> stored::Workload {
    stored::Workload {
        replicas: of.replicas,
        ready: of.ready,
        selector: selector(&of.selector),
        images: strings(&of.images),
        generation: of.generation,
    }
}

fn related(of: &Related) -> stored::Related {
    let target = |target: &crate::kubernetes::object::Target| {
        let (kind, other_kind) = kind::encode(&target.kind);
        stored::Target {
            relation: match target.relation {
                Relation::Routes => 0,
                Relation::BindsTo => 1,
                Relation::Scales => 2,
            },
            kind,
            other_kind,
            namespace: target.namespace.to_string(),
            name: target.name.to_string(),
        }
    };
    stored::Related {
        targets: of.targets.iter().map(target).collect(),
        selector: selector(&of.selector),
    }
}

fn selector(of: &Selector) -> Option<stored::Selector> {
    let of = of.as_ref()?;
    Some(stored::Selector { labels: labels(of) })
}

fn labels(of: &Labels) -> Vec<String> {
    let pairs = of.iter();
    pairs
        .flat_map(|(key, value)| [key.to_string(), value.to_string()])
        .collect()
}

fn strings(of: &[Text]) -> Vec<String> {
    of.iter().map(Text::to_string).collect()
}

fn addresses(of: &[IpAddr]) -> Vec<Vec<u8>> {
    of.iter().map(address).collect()
}

fn address(of: &IpAddr) -> Vec<u8> {
    match of {
        IpAddr::V4(of) => of.octets().to_vec(),
        IpAddr::V6(of) => of.octets().to_vec(),
    }
}

fn range(of: &IpNet) -> Vec<u8> {
    let mut bytes = address(&of.addr());
    bytes.push(of.prefix_len());
    bytes
}

fn is_udp(protocol: Protocol) -> bool {
    protocol == Protocol::Udp
}
