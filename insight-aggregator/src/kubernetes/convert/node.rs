//! Nodes.

use k8s_openapi::api::core::v1 as api;

use super::{addresses, meta, port, text};
use crate::kubernetes::object::{ApiKind, Body, Node, Object, Texts};

/// What says where a node is, the newer first.
const ZONES: [&str; 2] = [
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

/// What is kept of a node.
pub fn node(of: &api::Node, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::Node, &of.metadata, texts);
    let spec = of.spec.as_ref();
    let status = of.status.as_ref();
    let of_type = |kind: &'static str| {
        let all = status.and_then(|status| status.addresses.as_ref());
        all.into_iter()
            .flatten()
            .filter(move |address| address.type_ == kind)
            .map(|address| address.address.as_str())
    };
    let labels = of.metadata.labels.as_ref();
    let zone = labels.and_then(|labels| ZONES.iter().find_map(|name| labels.get(*name)));
    let info = status.and_then(|status| status.node_info.as_ref());
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let kubelet = status
        .and_then(|status| status.daemon_endpoints.as_ref())
        .and_then(|endpoints| endpoints.kubelet_endpoint.as_ref());
    let ranges = spec.and_then(|spec| match spec.pod_cidrs.as_deref() {
        Some(ranges @ [_, ..]) => Some(ranges),
        _ => spec.pod_cidr.as_ref().map(std::slice::from_ref),
    });
    let node = Node {
        addresses: addresses(of_type("InternalIP").chain(of_type("ExternalIP"))),
        zone: text(texts, zone.map(String::as_str)),
        pod_ranges: ranges
            .unwrap_or_default()
            .iter()
            .filter_map(|range| range.parse().ok())
            .collect(),
        ready: conditions
            .into_iter()
            .flatten()
            .any(|one| one.type_ == "Ready" && one.status == "True"),
        unschedulable: spec.and_then(|spec| spec.unschedulable) == Some(true),
        kubelet_port: port(kubelet.map(|kubelet| kubelet.port)),
        kubelet_version: text(texts, info.map(|info| info.kubelet_version.as_str())),
        kernel: text(texts, info.map(|info| info.kernel_version.as_str())),
    };
    Object {
        meta,
        body: Body::Node(Box::new(node)),
    }
}
