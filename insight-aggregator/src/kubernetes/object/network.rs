//! Services and what stands behind them.

use std::net::IpAddr;

use super::{Owner, Selector, Text};
use crate::model::Protocol;

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// How it is reached.
    pub service_type: ServiceType,
    /// `spec.clusterIPs`; none for a headless one and for [`ServiceType::ExternalName`].
    pub cluster_addresses: Box<[IpAddr]>,
    /// `spec.externalIPs` and the addresses of `status.loadBalancer.ingress`.
    pub external_addresses: Box<[IpAddr]>,
    /// `spec.externalName`; empty: none.
    pub external_name: Text,
    /// Which pods stand behind it.
    pub selector: Selector,
    /// Its ports.
    pub ports: Box<[ServicePort]>,
}

/// `spec.type` of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceType {
    /// By a virtual address within the cluster, or headless.
    ClusterIp,
    /// Also by a port of every node.
    NodePort,
    /// Also by a load balancer outside.
    LoadBalancer,
    /// An alias in DNS, nothing else.
    ExternalName,
}

impl ServiceType {
    /// The API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
            Self::ExternalName => "ExternalName",
        }
    }
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name, empty where there is only one; EndpointSlices have the same.
    pub name: Text,
    /// The port.
    pub port: u16,
    /// The pods' port.
    pub target: TargetPort,
    /// The nodes' port that leads to it; 0: none.
    pub node_port: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// `targetPort` of a Service's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By the name that the pods' containers give it.
    Name(Text),
}

/// An EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// The Service it is of: label `kubernetes.io/service-name`; empty: of none.
    pub service: Text,
    /// The backends' ports.
    pub ports: Box<[EndpointsPort]>,
    /// The backends.
    pub backends: Box<[Backend]>,
}

/// A port of the backends of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointsPort {
    /// The Service port's name.
    pub name: Text,
    /// The backends' port.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// One of the `endpoints` of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its addresses; the first one is used.
    pub addresses: Box<[IpAddr]>,
    /// `conditions.ready`; unknown means ready.
    pub ready: bool,
    /// `targetRef`: the pod, if it is one.
    pub target: Option<Owner>,
    /// Name of its node, or empty.
    pub node: Text,
}
