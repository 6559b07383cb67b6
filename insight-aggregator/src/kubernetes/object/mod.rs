//! What is kept of an object of the API: what names, relations and the way of a connection need, and no more. There are 100,000 pods in a
//! large cluster, and most of what the API says of each (environment, volumes, probes) is nothing that Insight may even know.

mod kind;
mod meta;
mod network;
mod node;
mod pod;
mod related;
mod text;
mod workload;

pub use kind::ApiKind;
pub use meta::{Meta, Owner};
pub use network::{
    Backend, EndpointSlice, EndpointsPort, Service, ServicePort, ServiceType, TargetPort,
};
pub use node::Node;
pub use pod::{Container, ContainerPort, ContainerRole, Phase, Pod};
pub use related::{Related, Relation, Target};
pub use text::{Labels, Selector, Text, Texts};
pub use workload::{Occurrence, Workload};

/// An object of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What all objects have.
    pub meta: Meta,
    /// What its kind has.
    pub body: Body,
}

/// What is kept of an object beyond its metadata, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// [`ApiKind::Pod`].
    Pod(Box<Pod>),
    /// [`ApiKind::Node`].
    Node(Box<Node>),
    /// [`ApiKind::Service`].
    Service(Box<Service>),
    /// [`ApiKind::EndpointSlice`].
    EndpointSlice(Box<EndpointSlice>),
    /// Whatever makes pods, or makes what makes them.
    Workload(Box<Workload>),
    /// What leads to other objects by its specification.
    Related(Box<Related>),
    /// Metadata only.
    Plain,
}

impl Object {
    /// The pod that it is.
    pub fn pod(&self) -> Option<&Pod> {
        match &self.body {
            Body::Pod(pod) => Some(pod),
            _ => None,
        }
    }

    /// The Service that it is.
    pub fn service(&self) -> Option<&Service> {
        match &self.body {
            Body::Service(service) => Some(service),
            _ => None,
        }
    }

    /// The node that it is.
    pub fn node(&self) -> Option<&Node> {
        match &self.body {
            Body::Node(node) => Some(node),
            _ => None,
        }
    }
}
