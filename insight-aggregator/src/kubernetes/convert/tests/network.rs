use std::net::IpAddr;

use serde_json::{Value, json};

use super::*;

fn service_of(spec: &Value, status: &Value) -> Service {
    let text = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "uid": "s1"},
        "spec": spec, "status": status
    });
    match converted(service, text).body {
        Body::Service(service) => *service,
        other => panic!("{other:?}"),
    }
}

fn ips(texts: &[&str]) -> Box<[IpAddr]> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_cluster_ip_service_of_two_families() {
    let service = service_of(
        &json!({
            "type": "ClusterIP", "clusterIP": "10.96.0.20", "clusterIPs": ["10.96.0.20", "fd00:96::20"],
            "ipFamilies": ["IPv4", "IPv6"], "selector": {"app": "web"},
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"},
                {"name": "plain", "port": 81}
            ]
        }),
        &json!({"loadBalancer": {}}),
    );
    assert_eq!(service.service_type, ServiceType::ClusterIp);
    assert_eq!(
        service.cluster_addresses,
        ips(&["10.96.0.20", "fd00:96::20"])
    );
    assert_eq!(service.selector, Some(labels(&[("app", "web")])));
    let ports: Vec<_> = service
        .ports
        .iter()
        .map(|of| (&*of.name, of.port, &of.target, of.protocol))
        .collect();
    let by_name = TargetPort::Name("http".into());
    let expected = [
        ("http", 80, &by_name, Protocol::Tcp),
        ("dns", 53, &TargetPort::Number(5353), Protocol::Udp),
        ("plain", 81, &TargetPort::Number(81), Protocol::Tcp),
    ];
    assert_eq!(ports, expected);
}

#[test]
fn a_headless_service_has_no_address() {
    let service = service_of(
        &json!({"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"], "selector": {"app": "db"}, "ports": [{"port": 5432}]}),
        &json!({}),
    );
    assert_eq!(service.service_type, ServiceType::ClusterIp);
    assert!(service.cluster_addresses.is_empty());
}

#[test]
fn a_node_port_service_has_the_nodes_port() {
    let service = service_of(
        &json!({"type": "NodePort", "clusterIP": "10.96.0.21", "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}]}),
        &json!({}),
    );
    assert_eq!(service.service_type, ServiceType::NodePort);
    assert_eq!(service.ports[0].node_port, 30080);
    assert_eq!(service.cluster_addresses, ips(&["10.96.0.21"]));
    assert_eq!(service.selector, None);
}

#[test]
fn a_load_balancer_has_its_addresses_outside() {
    let service = service_of(
        &json!({"type": "LoadBalancer", "clusterIPs": ["10.96.0.22"], "externalIPs": ["198.51.100.4"], "ports": [{"port": 443, "nodePort": 31443}]}),
        &json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.9", "ipMode": "VIP"}, {"hostname": "lb.example.com"}]}}),
    );
    assert_eq!(service.service_type, ServiceType::LoadBalancer);
    assert_eq!(
        service.external_addresses,
        ips(&["198.51.100.4", "203.0.113.9"])
    );
}

#[test]
fn an_external_name_is_a_name_only() {
    let service = service_of(
        &json!({"type": "ExternalName", "externalName": "db.example.com", "selector": {}}),
        &json!({}),
    );
    assert_eq!(service.service_type, ServiceType::ExternalName);
    assert_eq!(&*service.external_name, "db.example.com");
    assert!(service.cluster_addresses.is_empty() && service.ports.is_empty());
    assert_eq!(service.selector, None, "an empty one is none");
}

fn slice_of(text: Value) -> EndpointSlice {
    match converted(endpoint_slice, text).body {
        Body::EndpointSlice(slice) => *slice,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_endpoint_slice_names_its_pods() {
    let slice = slice_of(json!({
        "metadata": {"name": "web-x7", "namespace": "shop", "uid": "e1",
            "labels": {"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.244.1.7"], "conditions": {"ready": true, "serving": true, "terminating": false},
             "nodeName": "node-a", "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "0f6a"}},
            {"addresses": ["10.244.2.9"], "conditions": {"ready": false, "serving": true, "terminating": true},
             "nodeName": "node-b", "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-2", "uid": "0f6b"}}
        ],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "s", "port": 1, "protocol": "SCTP"}]
    }));
    assert_eq!(&*slice.service, "web");
    let port = &slice.ports[0];
    assert_eq!((slice.ports.len(), port.port), (1, 8080));
    let first = Backend {
        addresses: ips(&["10.244.1.7"]),
        ready: true,
        target: Some(owner(ApiKind::Pod, "web-1", "0f6a")),
        node: "node-a".into(),
    };
    assert_eq!(slice.backends[0], first);
    assert!(!slice.backends[1].ready);
}

#[test]
fn an_endpoint_slice_by_hand_may_say_little() {
    let slice = slice_of(json!({
        "metadata": {"name": "outside-1", "namespace": "shop", "uid": "e2"},
        "addressType": "IPv6",
        "endpoints": [{"addresses": ["2001:db8::5"], "conditions": {}}],
        "ports": [{"name": "", "port": null}]
    }));
    assert_eq!(&*slice.service, "");
    let backend = &slice.backends[0];
    assert_eq!(backend.addresses, ips(&["2001:db8::5"]));
    assert!(backend.ready, "unknown means ready");
    assert_eq!(backend.target, None);
    assert!(slice.ports.is_empty(), "all ports are none in particular");
}
