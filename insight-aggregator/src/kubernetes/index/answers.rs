//! Who was it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::pods::{Found, bare};
use super::{Holder, Index, Key, WorkloadName};
use crate::kubernetes::object::{ApiKind, Meta, Pod, Service, ServicePort, TargetPort, Text};
use crate::model::{Protocol, UnixMs};

/// A pod, and what it is part of.
#[derive(Clone, Copy, Debug)]
pub struct Person<'i> {
    /// Its metadata.
    pub meta: &'i Meta,
    /// The pod.
    pub pod: &'i Pod,
}

/// A Service that an address and a port lead to.
#[derive(Clone, Copy, Debug)]
pub struct ServiceAt<'i> {
    /// The Service's metadata.
    pub meta: &'i Meta,
    /// The Service.
    pub service: &'i Service,
    /// The port of it; none if it has no such port, and nothing answers there.
    pub port: Option<&'i ServicePort>,
}

impl Index {
    /// The pod with this UID, which may be gone: its own, or the one that its node calls a static pod by.
    pub fn pod(&self, uid: &str) -> Option<Person<'_>> {
        let object = match self.pods.find(uid)? {
            Found::Living(key) => &self.objects.get(&ApiKind::Pod)?.get(key)?.object,
            Found::Gone(object) => object,
        };
        Some(Person {
            meta: &object.meta,
            pod: object.pod()?,
        })
    }

    /// The name in its pod of the container with this id, without its runtime.
    pub fn container_name<'i>(&'i self, person: Person<'i>, id: &str) -> Option<&'i Text> {
        let mut containers = person.pod.containers.iter();
        containers
            .find(|container| bare(&container.id) == id || bare(&container.last_id) == id)
            .map(|container| &container.name)
            .or_else(|| self.pods.former(&person.meta.uid, id))
    }

    /// What a pod is part of.
    pub fn workload(&self, person: Person<'_>) -> WorkloadName {
        self.chains.workload(person.meta)
    }

    /// The Services that a pod stands, or stood, behind, by namespace and name.
    pub fn services_of(&self, uid: &str) -> impl Iterator<Item = &Key> {
        self.members.services(uid)
    }

    /// Who may have had an address between the two, both included: more than one if that cannot be told.
    pub fn holders(
        &self,
        address: IpAddr,
        from: UnixMs,
        to: UnixMs,
    ) -> impl Iterator<Item = &Holder> {
        self.addresses.holders(address, from, to)
    }

    /// When addresses changed hands within a range, for those that did.
    pub fn changes_of_addresses(&self, from: UnixMs, to: UnixMs) -> HashMap<IpAddr, Vec<UnixMs>> {
        self.addresses.changes(from, to)
    }

    /// A Service by namespace and name, and its port of this number.
    pub fn service(&self, key: &Key, port: u16, protocol: Protocol) -> Option<ServiceAt<'_>> {
        self.service_with(key, |known| {
            known.port == port && known.protocol == protocol
        })
    }

    /// The Service that this port of every node leads to.
    pub fn node_port(&self, port: u16, protocol: Protocol) -> Option<(&Key, ServiceAt<'_>)> {
        let key = self.node_ports.get(&(port, protocol))?;
        let is_port = |known: &ServicePort| known.node_port == port && known.protocol == protocol;
        Some((key, self.service_with(key, is_port)?))
    }

    fn service_with(
        &self,
        key: &Key,
        is_port: impl Fn(&ServicePort) -> bool,
    ) -> Option<ServiceAt<'_>> {
        let object = &self.objects.get(&ApiKind::Service)?.get(key)?.object;
        let service = object.service()?;
        Some(ServiceAt {
            meta: &object.meta,
            service,
            port: service.ports.iter().find(|port| is_port(port)),
        })
    }

    /// UIDs of the pods that stood behind a Service between the two.
    pub fn backends(&self, key: &Key, from: UnixMs, to: UnixMs) -> impl Iterator<Item = &Text> {
        self.members.pods(key, from, to)
    }

    /// The ports of its pods that a Service's port leads to: one, unless pods give a name to different ports. None if there is no backend that tells it.
    pub fn backend_ports(&self, key: &Key, port: &ServicePort) -> BTreeSet<u16> {
        let known = self.members.ports(key, &port.name, port.protocol);
        match (&port.target, known.is_empty()) {
            (TargetPort::Number(number), true) => BTreeSet::from([*number]),
            _ => known,
        }
    }

    /// The Service that an address which is no pod's stands behind: the API server's, or what somebody wrote down by hand.
    pub fn backend_outside(&self, address: IpAddr) -> Option<&Key> {
        self.members.outside(address)
    }

    /// The node whose own address among its pods' addresses this is, as long as no pod has it.
    pub fn gateway(&self, address: IpAddr) -> Option<&Text> {
        self.gateways.get(&address)
    }

    /// The pod on this node's network that says it listens on the port, if it is one.
    pub fn on_port(&self, node: &str, port: u16, protocol: Protocol) -> Option<&Text> {
        self.pods.on_port(node, port, protocol)
    }

    /// Whether the backends of a Service listen on this port.
    pub fn is_backend_port(&self, key: &Key, port: u16, protocol: Protocol) -> bool {
        self.members.is_port(key, port, protocol)
    }

    /// Zone of a node.
    pub fn zone(&self, node: &str) -> Option<&Text> {
        let node = self.get(&ApiKind::Node, "", node)?.object.node()?;
        Some(&node.zone).filter(|zone| !zone.is_empty())
    }

    /// Whether anything of Kubernetes is known.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}
