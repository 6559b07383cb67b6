//! Objects out of what is stored. What cannot be is an error: it names nothing, and nothing is guessed.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use insight_proto::storage as stored;
use ipnet::IpNet;

use super::kind;
use crate::kubernetes::object::{
    Backend, Body, Container, ContainerPort, ContainerRole, EndpointSlice, EndpointsPort, Labels,
    Meta, Node, Object, Owner, Phase, Pod, Related, Relation, Selector, Service, ServicePort,
    ServiceType, Target, TargetPort, Text, Texts, Workload,
};
use crate::model::Protocol;

/// An object.
pub(super) fn object(of: &stored::Object, texts: &mut Texts) -> Result<Object> {
    let owners: Box<[Owner]> = of.owners.iter().map(|of| owner(of, texts)).collect();
    Ok(Object {
        meta: Meta {
            kind: kind::decode(of.kind, &of.other_kind, texts),
            namespace: texts.intern(&of.namespace),
            name: texts.intern(&of.name),
            uid: texts.intern(&of.uid),
            labels: labels(&of.labels, texts),
            controller: of.controller.as_ref().map(|of| owner(of, texts)),
            owners,
            created: of.created,
            deleting: of.deleting,
        },
        body: body(of.body.as_ref(), texts)?,
    })
}

/// An owner.
pub(super) fn owner(of: &stored::Owner, texts: &mut Texts) -> Owner {
    Owner {
        kind: kind::decode(of.kind, &of.other_kind, texts),
        name: texts.intern(&of.name),
        uid: texts.intern(&of.uid),
    }
}

fn body(of: Option<&stored::object::Body>, texts: &mut Texts) -> Result<Body> {
    use stored::object::Body as From;
    Ok(match of {
        Some(From::Pod(of)) => Body::Pod(Box::new(pod(of, texts)?)),
        Some(From::Node(of)) => Body::Node(Box::new(node(of, texts)?)),
        Some(From::Service(of)) => Body::Service(Box::new(service(of, texts)?)),
        Some(From::EndpointSlice(of)) => Body::EndpointSlice(Box::new(slice(of, texts)?)),
        Some(From::Workload(of)) => Body::Workload(Box::new(workload(of, texts))),
        Some(From::Related(of)) => Body::Related(Box::new(related(of, texts))),
        None => Body::Plain,
    })
}

fn pod(of: &stored::Pod, texts: &mut Texts) -> Result<Pod> {
    let containers = of.containers.iter().map(|of| container(of, texts));
    let containers = containers.collect::<Result<_>>()?;
    Ok(Pod {
        node: texts.intern(&of.node),
        phase: match of.phase {
            1 => Phase::Pending,
            2 => Phase::Running,
            3 => Phase::Succeeded,
            4 => Phase::Failed,
            _ => Phase::Unknown,
        },
        ready: of.ready,
        addresses: addresses(&of.addresses)?,
        host_network: of.host_network,
        node_uid: of.node_uid.as_deref().map(|uid| texts.intern(uid)),
        started: of.started,
        ended: of.ended,
        containers,
        claims: strings(&of.claims, texts),
    })
}

fn container(of: &stored::Container, texts: &mut Texts) -> Result<Container> {
    let port = |of: &stored::ContainerPort, texts: &mut Texts| -> Result<_> {
        Ok(ContainerPort {
            name: texts.intern(&of.name),
            port: number(of.port)?,
            host_port: number(of.host_port)?,
            protocol: protocol(of.udp),
        })
    };
    let ports = of.ports.iter().map(|of| port(of, texts));
    Ok(Container {
        ports: ports.collect::<Result<_>>()?,
        name: texts.intern(&of.name),
        role: match of.role {
            1 => ContainerRole::Init,
            2 => ContainerRole::Sidecar,
            3 => ContainerRole::Ephemeral,
            _ => ContainerRole::Main,
        },
        image: texts.intern(&of.image),
        image_id: texts.intern(&of.image_id),
        id: of.id.as_str().into(),
        last_id: of.last_id.as_str().into(),
        restarts: of.restarts,
        ready: of.ready,
        state: texts.intern(&of.state),
    })
}

fn node(of: &stored::Node, texts: &mut Texts) -> Result<Node> {
    Ok(Node {
        addresses: addresses(&of.addresses)?,
        zone: texts.intern(&of.zone),
        pod_ranges: of
            .pod_ranges
            .iter()
            .map(|bytes| range(bytes))
            .collect::<Result<_>>()?,
        ready: of.ready,
        unschedulable: of.unschedulable,
        kubelet_port: number(of.kubelet_port)?,
        kubelet_version: texts.intern(&of.kubelet_version),
        kernel: texts.intern(&of.kernel),
    })
}

fn service(of: &stored::Service, texts: &mut Texts) -> Result<Service> {
    let port = |of: &stored::ServicePort, texts: &mut Texts| -> Result<_> {
        Ok(ServicePort {
            name: texts.intern(&of.name),
            port: number(of.port)?,
            target: match &of.target_name {
                Some(name) => TargetPort::Name(texts.intern(name)),
                None => TargetPort::Number(number(of.target)?),
            },
            node_port: number(of.node_port)?,
            protocol: protocol(of.udp),
        })
    };
    let ports = of.ports.iter().map(|of| port(of, texts));
    Ok(Service {
        ports: ports.collect::<Result<_>>()?,
        service_type: match of.r#type {
            1 => ServiceType::NodePort,
            2 => ServiceType::LoadBalancer,
            3 => ServiceType::ExternalName,
            _ => ServiceType::ClusterIp,
        },
        cluster_addresses: addresses(&of.cluster_addresses)?,
        external_addresses: addresses(&of.external_addresses)?,
        external_name: texts.intern(&of.external_name),
        selector: selector(of.selector.as_ref(), texts),
    })
}

fn slice(of: &stored::EndpointSlice, texts: &mut Texts) -> Result<EndpointSlice> {
    let port = |of: &stored::EndpointsPort, texts: &mut Texts| -> Result<_> {
        Ok(EndpointsPort {
            name: texts.intern(&of.name),
            port: number(of.port)?,
            protocol: protocol(of.udp),
        })
    };
    let backend = |of: &stored::Backend, texts: &mut Texts| -> Result<_> {
        Ok(Backend {
            addresses: addresses(&of.addresses)?,
            ready: of.ready,
            target: of.target.as_ref().map(|of| owner(of, texts)),
            node: texts.intern(&of.node),
        })
    };
    let ports = of.ports.iter().map(|of| port(of, texts));
    let ports = ports.collect::<Result<_>>()?;
    let backends = of.backends.iter().map(|of| backend(of, texts));
    Ok(EndpointSlice {
        ports,
        backends: backends.collect::<Result<_>>()?,
        service: texts.intern(&of.service),
    })
}

fn workload(of: &stored::Workload, texts: &mut Texts) -> Workload {
    Workload {
        replicas: of.replicas,
        ready: of.ready,
        selector: selector(of.selector.as_ref(), texts),
        images: strings(&of.images, texts),
        generation: of.generation,
    }
}

fn related(of: &stored::Related, texts: &mut Texts) -> Related {
    let target = |of: &stored::Target, texts: &mut Texts| Target {
        relation: match of.relation {
            1 => Relation::BindsTo,
            2 => Relation::Scales,
            _ => Relation::Routes,
        },
        kind: kind::decode(of.kind, &of.other_kind, texts),
        namespace: texts.intern(&of.namespace),
        name: texts.intern(&of.name),
    };
    Related {
        targets: of.targets.iter().map(|of| target(of, texts)).collect(),
        selector: selector(of.selector.as_ref(), texts),
    }
}

fn selector(of: Option<&stored::Selector>, texts: &mut Texts) -> Selector {
    of.map(|of| labels(&of.labels, texts))
}

fn labels(of: &[String], texts: &mut Texts) -> Labels {
    let (pairs, _) = of.as_chunks::<2>();
    texts.labels(
        pairs
            .iter()
            .map(|[key, value]| (key.as_str(), value.as_str())),
    )
}

fn strings(of: &[String], texts: &mut Texts) -> Box<[Text]> {
    of.iter().map(|text| texts.intern(text)).collect()
}

fn addresses(of: &[Vec<u8>]) -> Result<Box<[IpAddr]>> {
    of.iter().map(|bytes| address(bytes)).collect()
}

fn address(bytes: &[u8]) -> Result<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .with_context(|| format!("an address has 4 or 16 bytes, not {}", bytes.len()))
}

fn range(bytes: &[u8]) -> Result<IpNet> {
    let (bits, bytes) = bytes.split_last().context("a range is empty")?;
    IpNet::new(address(bytes)?, *bits).context("a range has too many bits")
}

fn number(of: u32) -> Result<u16> {
    u16::try_from(of).with_context(|| format!("{of} is no port"))
}

fn protocol(is_udp: bool) -> Protocol {
    if is_udp { Protocol::Udp } else { Protocol::Tcp }
}
