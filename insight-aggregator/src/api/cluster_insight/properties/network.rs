//! Services and EndpointSlices.

use serde_json::{Map, Value, json};

use super::{pairs, put};
use crate::kubernetes::object::{
    Backend, EndpointSlice, Service, ServicePort, ServiceType, TargetPort,
};

pub(super) fn service(service: &Service) -> (Value, Value) {
    let mut spec = json!({ "type": service.service_type.as_str() });
    let cluster: Vec<String> = texts(&service.cluster_addresses);
    match &cluster[..] {
        [first, ..] => {
            spec["clusterIP"] = first.as_str().into();
            spec["clusterIPs"] = cluster.into();
        }
        [] if service.service_type != ServiceType::ExternalName => {
            spec["clusterIP"] = "None".into();
        }
        [] => {}
    }
    put(&mut spec, "externalName", &service.external_name);
    if !service.external_addresses.is_empty() {
        // Those of its load balancer are among them.
        spec["externalIPs"] = texts(&service.external_addresses).into();
    }
    if let Some(selector) = &service.selector {
        spec["selector"] = pairs(selector);
    }
    spec["ports"] = service.ports.iter().map(port).collect();
    (spec, Value::Null)
}

fn port(port: &ServicePort) -> Value {
    let mut json = json!({});
    put(&mut json, "name", &port.name);
    json["port"] = port.port.into();
    json["protocol"] = port.protocol.as_str().to_uppercase().into();
    json["targetPort"] = match &port.target {
        TargetPort::Number(number) => (*number).into(),
        TargetPort::Name(name) => (**name).into(),
    };
    if port.node_port != 0 {
        json["nodePort"] = port.node_port.into();
    }
    json
}

pub(super) fn slice(slice: &EndpointSlice) -> Map<String, Value> {
    let ports: Vec<Value> = slice
        .ports
        .iter()
        .map(|port| {
            json!({
                "name": &*port.name,
                "port": port.port,
                "protocol": port.protocol.as_str().to_uppercase(),
            })
        })
        .collect();
    let endpoints: Vec<Value> = slice.backends.iter().map(endpoint).collect();
    Map::from_iter([
        ("ports".to_owned(), ports.into()),
        ("endpoints".to_owned(), endpoints.into()),
    ])
}

fn endpoint(backend: &Backend) -> Value {
    let mut json = json!({
        "addresses": texts(&backend.addresses),
        "conditions": { "ready": backend.ready },
    });
    if let Some(target) = &backend.target {
        json["targetRef"] = json!({
            "kind": target.kind.name(),
            "name": &*target.name,
            "uid": &*target.uid,
        });
    }
    put(&mut json, "nodeName", &backend.node);
    json
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
