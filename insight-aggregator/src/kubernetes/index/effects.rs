//! What follows from an object that comes, changes or goes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Holder, Index, Key, key_of};
use crate::kubernetes::object::{Body, EndpointSlice, Meta, Node, Object, Pod, Service, Text};
use crate::model::UnixMs;

impl Index {
    /// Notes what follows from an object as it is now; `before` is what it was, with the same UID.
    pub(super) fn take(&mut self, object: &Object, before: Option<&Object>, at: UnixMs) {
        let meta = &object.meta;
        match &object.body {
            Body::Pod(pod) => {
                let before = before.and_then(Object::pod);
                self.pods.put(meta, pod, before);
                self.take_addresses_of_pod(meta, pod, before, at);
            }
            Body::Node(node) => {
                let holder = Holder::Node(Text::clone(&meta.name));
                for address in gateways(node) {
                    self.gateways.insert(address, Text::clone(&meta.name));
                }
                let before = before.and_then(Object::node);
                let lost = before.map_or(&[][..], |before| &before.addresses);
                self.take_addresses(&holder, &node.addresses, lost, [meta.created, at], None);
            }
            Body::Service(service) => {
                let key = key_of(object);
                if let Some(before) = before.and_then(Object::service) {
                    self.forget_node_ports(&key, before);
                }
                for port in service.ports.iter().filter(|port| port.node_port != 0) {
                    let place = (port.node_port, port.protocol);
                    self.node_ports.insert(place, key.clone());
                }
                let before = before.and_then(Object::service).map(addresses_of_service);
                let lost = before.unwrap_or_default();
                let held = addresses_of_service(service);
                let holder = Holder::Service(key);
                self.take_addresses(&holder, &held, &lost, [meta.created, at], None);
            }
            Body::EndpointSlice(slice) => {
                let key = key_of(object);
                if let Some(Body::EndpointSlice(before)) = before.map(|before| &before.body) {
                    self.let_go_slice(meta, &key, before, at);
                }
                if !slice.service.is_empty() {
                    self.members.put(&meta.namespace, key, slice, at);
                }
            }
            Body::Workload(_) | Body::Related(_) | Body::Plain => {}
        }
        if !matches!(object.body, Body::Pod(_)) {
            self.chains.note(meta);
        }
    }

    /// Notes that an object is gone.
    pub(super) fn let_go(&mut self, object: Object, at: UnixMs) {
        match &object.body {
            Body::Pod(pod) => {
                let holder = Holder::Pod(Text::clone(&object.meta.uid));
                for address in &pod.addresses {
                    self.addresses.release(*address, &holder, at);
                }
                self.pods.gone(object, at);
            }
            Body::Node(node) => {
                let holder = Holder::Node(Text::clone(&object.meta.name));
                for address in gateways(node) {
                    self.gateways.remove(&address);
                }
                for address in &node.addresses {
                    self.addresses.release(*address, &holder, at);
                }
            }
            Body::Service(service) => {
                let key = key_of(&object);
                self.forget_node_ports(&key, service);
                let holder = Holder::Service(key);
                for address in addresses_of_service(service) {
                    self.addresses.release(address, &holder, at);
                }
            }
            Body::EndpointSlice(slice) => {
                let key = key_of(&object);
                self.let_go_slice(&object.meta, &key, slice, at);
            }
            Body::Workload(_) | Body::Related(_) | Body::Plain => {}
        }
    }

    fn let_go_slice(&mut self, meta: &Meta, key: &Key, slice: &EndpointSlice, at: UnixMs) {
        if !slice.service.is_empty() {
            self.members.remove(&meta.namespace, key, slice, at);
        }
    }

    fn forget_node_ports(&mut self, key: &Key, service: &Service) {
        for port in &service.ports {
            let place = (port.node_port, port.protocol);
            if self.node_ports.get(&place) == Some(key) {
                self.node_ports.remove(&place);
            }
        }
    }

    fn take_addresses_of_pod(&mut self, meta: &Meta, pod: &Pod, before: Option<&Pod>, at: UnixMs) {
        // Its node's addresses are its node's.
        if pod.host_network {
            return;
        }
        let holder = Holder::Pod(Text::clone(&meta.uid));
        let from = pod.started.unwrap_or(meta.created);
        let lost = before.map_or(&[][..], |before| &before.addresses);
        self.take_addresses(&holder, &pod.addresses, lost, [from, at], pod.ended);
    }

    fn take_addresses(
        &mut self,
        holder: &Holder,
        held: &[IpAddr],
        before: &[IpAddr],
        [from, at]: [UnixMs; 2],
        until: Option<UnixMs>,
    ) {
        for address in before.iter().filter(|address| !held.contains(address)) {
            self.addresses.release(*address, holder, at);
        }
        for address in held {
            self.addresses.hold(*address, holder, from, at, until);
        }
    }
}

/// The first two addresses of each range of a node's pods: its bridge to them or its tunnel has one, and what it forwards masqueraded comes from there.
fn gateways(node: &Node) -> impl Iterator<Item = IpAddr> {
    node.pod_ranges.iter().flat_map(|range| {
        let first = match range.network() {
            IpAddr::V4(first) => IpAddr::from(Ipv4Addr::from_bits(first.to_bits() | 1)),
            IpAddr::V6(first) => IpAddr::from(Ipv6Addr::from_bits(first.to_bits() | 1)),
        };
        [range.network(), first]
    })
}

fn addresses_of_service(service: &Service) -> Vec<IpAddr> {
    let own = service.cluster_addresses.iter();
    own.chain(&service.external_addresses).copied().collect()
}
