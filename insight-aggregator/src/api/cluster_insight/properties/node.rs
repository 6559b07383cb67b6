//! Nodes.

use serde_json::{Value, json};

use super::put;
use crate::kubernetes::object::Node;

pub(super) fn node(node: &Node) -> (Value, Value) {
    let mut spec = json!({});
    if !node.pod_ranges.is_empty() {
        let ranges: Vec<String> = node.pod_ranges.iter().map(ToString::to_string).collect();
        spec["podCIDR"] = ranges[0].as_str().into();
        spec["podCIDRs"] = ranges.into();
    }
    if node.unschedulable {
        spec["unschedulable"] = true.into();
    }
    let addresses: Vec<Value> = node
        .addresses
        .iter()
        .map(|address| json!({ "address": address.to_string() }))
        .collect();
    let ready = if node.ready { "True" } else { "False" };
    let mut info = json!({});
    put(&mut info, "kernelVersion", &node.kernel);
    put(&mut info, "kubeletVersion", &node.kubelet_version);
    let status = json!({
        "addresses": addresses,
        "conditions": [{ "type": "Ready", "status": ready }],
        "daemonEndpoints": { "kubeletEndpoint": { "Port": node.kubelet_port } },
        "nodeInfo": info,
    });
    (spec, status)
}
