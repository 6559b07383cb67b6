//! Nodes.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Text;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its addresses, internal ones first.
    pub addresses: Box<[IpAddr]>,
    /// Label `topology.kubernetes.io/zone`, or the older `failure-domain.beta.kubernetes.io/zone`; empty: none.
    pub zone: Text,
    /// `spec.podCIDRs`.
    pub pod_ranges: Box<[IpNet]>,
    /// Condition `Ready`.
    pub ready: bool,
    /// It takes no new pods.
    pub unschedulable: bool,
    /// Port of its kubelet.
    pub kubelet_port: u16,
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet_version: Text,
    /// `status.nodeInfo.kernelVersion`.
    pub kernel: Text,
}
