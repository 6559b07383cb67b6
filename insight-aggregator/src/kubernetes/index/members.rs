//! Which pods stand, or stood, behind which Service.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::Key;
use crate::kubernetes::object::{ApiKind, Backend, EndpointSlice, EndpointsPort, Text};
use crate::model::{Protocol, UnixMs};

/// A time; without an end it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: UnixMs,
    until: Option<UnixMs>,
}

impl Span {
    fn touches(&self, from: UnixMs, to: UnixMs) -> bool {
        self.from <= to && self.until.is_none_or(|until| from < until)
    }
}

/// What is known of one Service's backends.
#[derive(Debug, Default)]
struct Behind {
    slices: BTreeMap<Key, Slice>,
    pods: HashMap<Text, Span>,
}

/// What matters of an EndpointSlice.
#[derive(Debug)]
struct Slice {
    ports: Box<[EndpointsPort]>,
    /// UIDs.
    pods: Box<[Text]>,
}

/// The backends of all Services.
#[derive(Debug, Default)]
pub(super) struct Members {
    behind: HashMap<Key, Behind>,
    /// Of each pod, in order.
    services: HashMap<Text, Vec<Key>>,
    /// Backends that are no pods, by address.
    outside: HashMap<IpAddr, Key>,
}

impl Members {
    /// Takes a slice of a Service, in the place of an older one of this key.
    pub(super) fn put(&mut self, namespace: &Text, key: Key, slice: &EndpointSlice, at: UnixMs) {
        let service = (Text::clone(namespace), Text::clone(&slice.service));
        for address in outside(slice) {
            self.outside.insert(address, service.clone());
        }
        let behind = self.behind.entry(service.clone()).or_default();
        let pods = slice.backends.iter().filter_map(pod_of);
        let of_slice = Slice {
            ports: slice.ports.clone(),
            pods: pods.cloned().collect(),
        };
        behind.slices.insert(key, of_slice);
        self.renew(&service, at);
    }

    /// A slice is gone, or belongs to another Service now.
    pub(super) fn remove(
        &mut self,
        namespace: &Text,
        key: &Key,
        slice: &EndpointSlice,
        at: UnixMs,
    ) {
        let service = (Text::clone(namespace), Text::clone(&slice.service));
        for address in outside(slice) {
            self.outside.remove(&address);
        }
        if let Some(behind) = self.behind.get_mut(&service) {
            behind.slices.remove(key);
            self.renew(&service, at);
        }
    }

    fn renew(&mut self, service: &Key, at: UnixMs) {
        let Some(behind) = self.behind.get_mut(service) else {
            return;
        };
        let slices = behind.slices.values();
        let now: BTreeSet<&Text> = slices.flat_map(|slice| &slice.pods).collect();
        for (uid, span) in &mut behind.pods {
            if !now.contains(uid) {
                span.until.get_or_insert(at);
            }
        }
        for uid in now {
            let started = Span {
                from: at,
                until: None,
            };
            let span = behind.pods.entry(Text::clone(uid)).or_insert(started);
            span.until = None;
            let of_pod = self.services.entry(Text::clone(uid));
            let of_pod = of_pod.or_insert_with(|| Vec::with_capacity(1));
            if let Err(place) = of_pod.binary_search(service) {
                of_pod.insert(place, service.clone());
            }
        }
    }

    /// UIDs of the pods that stood behind the Service in this time.
    pub(super) fn pods(
        &self,
        service: &Key,
        from: UnixMs,
        to: UnixMs,
    ) -> impl Iterator<Item = &Text> {
        self.behind
            .get(service)
            .into_iter()
            .flat_map(|behind| &behind.pods)
            .filter(move |(_, span)| span.touches(from, to))
            .map(|(uid, _)| uid)
    }

    /// The backends' ports that a Service's port of this name leads to: one, unless pods give the name to different ports.
    pub(super) fn ports(&self, service: &Key, name: &str, protocol: Protocol) -> BTreeSet<u16> {
        let behind = self.behind.get(service).into_iter();
        behind
            .flat_map(|behind| behind.slices.values())
            .flat_map(|slice| &slice.ports)
            .filter(|port| &*port.name == name && port.protocol == protocol)
            .map(|port| port.port)
            .collect()
    }

    /// Whether the backends of a Service listen on this port.
    pub(super) fn is_port(&self, service: &Key, number: u16, protocol: Protocol) -> bool {
        let behind = self.behind.get(service).into_iter();
        let mut ports = behind
            .flat_map(|behind| behind.slices.values())
            .flat_map(|slice| &slice.ports);
        ports.any(|port| port.port == number && port.protocol == protocol)
    }

    /// The Services that the pod stands, or stood, behind, by namespace and name.
    pub(super) fn services(&self, uid: &str) -> impl Iterator<Item = &Key> {
        self.services.get(uid).into_iter().flatten()
    }

    /// The Service that an address which is no pod's stands behind.
    pub(super) fn outside(&self, address: IpAddr) -> Option<&Key> {
        self.outside.get(&address)
    }

    /// Forgets who left a Service before `before`, and Services without anybody.
    pub(super) fn forget(&mut self, before: UnixMs) {
        let services = &mut self.services;
        self.behind.retain(|service, behind| {
            behind.pods.retain(|uid, span| {
                let kept = span.until.is_none_or(|until| until >= before);
                if !kept && let Some(of_pod) = services.get_mut(uid) {
                    of_pod.retain(|known| known != service);
                }
                kept
            });
            !behind.pods.is_empty() || !behind.slices.is_empty()
        });
        services.retain(|_, of_pod| !of_pod.is_empty());
    }
}

fn pod_of(backend: &Backend) -> Option<&Text> {
    let target = backend.target.as_ref()?;
    (target.kind == ApiKind::Pod).then_some(&target.uid)
}

fn outside(slice: &EndpointSlice) -> impl Iterator<Item = IpAddr> {
    let without = slice
        .backends
        .iter()
        .filter(|backend| backend.target.is_none());
    without.flat_map(|backend| backend.addresses.iter().copied())
}
