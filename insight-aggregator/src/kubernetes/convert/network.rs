//! Services and what stands behind them.

use k8s_openapi::api::core::v1 as api;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{addresses, meta, port, protocol, selector, text};
use crate::kubernetes::object::{
    ApiKind, Backend, Body, EndpointSlice, EndpointsPort, Object, Owner, Service, ServicePort,
    ServiceType, TargetPort, Texts,
};

/// Says which Service an EndpointSlice is of.
const OF_SERVICE: &str = "kubernetes.io/service-name";

/// What is kept of a Service.
pub fn service(of: &api::Service, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::Service, &of.metadata, texts);
    let default = api::ServiceSpec::default();
    let spec = of.spec.as_ref().unwrap_or(&default);
    let balancer = of.status.as_ref().and_then(|of| of.load_balancer.as_ref());
    let ingress = balancer.and_then(|balancer| balancer.ingress.as_ref());
    let outside = spec.external_ips.iter().flatten();
    let service = Service {
        service_type: match spec.type_.as_deref() {
            Some("NodePort") => ServiceType::NodePort,
            Some("LoadBalancer") => ServiceType::LoadBalancer,
            Some("ExternalName") => ServiceType::ExternalName,
            _ => ServiceType::ClusterIp,
        },
        cluster_addresses: match spec.cluster_ips.as_deref() {
            Some(all @ [_, ..]) => addresses(all.iter().map(String::as_str)),
            _ => addresses(spec.cluster_ip.as_deref()),
        },
        external_addresses: addresses(
            outside.map(String::as_str).chain(
                ingress
                    .into_iter()
                    .flatten()
                    .filter_map(|one| one.ip.as_deref()),
            ),
        ),
        external_name: text(texts, spec.external_name.as_deref()),
        selector: selector::pairs(
            // An empty one is none here: the Service's endpoints are then someone else's work.
            spec.selector.as_ref().filter(|pairs| !pairs.is_empty()),
            texts,
        ),
        ports: service_ports(spec.ports.as_deref().unwrap_or_default(), texts),
    };
    Object {
        meta,
        body: Body::Service(Box::new(service)),
    }
}

fn service_ports(of: &[api::ServicePort], texts: &mut Texts) -> Box<[ServicePort]> {
    of.iter()
        .filter_map(|of| {
            let number = port(Some(of.port));
            Some(ServicePort {
                name: text(texts, of.name.as_deref()),
                port: number,
                target: match &of.target_port {
                    Some(IntOrString::Int(target)) if *target != 0 => {
                        TargetPort::Number(port(Some(*target)))
                    }
                    Some(IntOrString::String(name)) if !name.is_empty() => {
                        TargetPort::Name(texts.intern(name))
                    }
                    _ => TargetPort::Number(number),
                },
                node_port: port(of.node_port),
                protocol: protocol(of.protocol.as_deref())?,
            })
        })
        .collect()
}

/// What is kept of an EndpointSlice.
pub fn endpoint_slice(of: &discovery::EndpointSlice, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::EndpointSlice, &of.metadata, texts);
    let labels = of.metadata.labels.as_ref();
    let service = labels.and_then(|labels| labels.get(OF_SERVICE));
    let ports = of.ports.iter().flatten().filter_map(|of| {
        Some(EndpointsPort {
            name: text(texts, of.name.as_deref()),
            // Without a number it means all ports, which names none.
            port: port(Some(of.port?)),
            protocol: protocol(of.protocol.as_deref())?,
        })
    });
    let slice = EndpointSlice {
        ports: ports.collect(),
        service: text(texts, service.map(String::as_str)),
        backends: of
            .endpoints
            .iter()
            .flatten()
            .map(|of| backend(of, texts))
            .collect(),
    };
    Object {
        meta,
        body: Body::EndpointSlice(Box::new(slice)),
    }
}

fn backend(of: &discovery::Endpoint, texts: &mut Texts) -> Backend {
    let target = of.target_ref.as_ref();
    Backend {
        addresses: addresses(of.addresses.iter().map(String::as_str)),
        ready: of
            .conditions
            .as_ref()
            .and_then(|conditions| conditions.ready)
            .unwrap_or(true),
        target: target
            .filter(|target| target.kind.as_deref() == Some("Pod"))
            .map(|target| Owner {
                kind: ApiKind::Pod,
                name: text(texts, target.name.as_deref()),
                uid: text(texts, target.uid.as_deref()),
            }),
        node: text(texts, of.node_name.as_deref()),
    }
}
