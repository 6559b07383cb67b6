//! Pods by what an agent knows of them: a UID, a container's id, a node's port.

use std::collections::HashMap;

use super::Key;
use crate::kubernetes::object::{Meta, Object, Pod, Text};
use crate::model::{Protocol, UnixMs};

/// Pods that are gone and still known, newest first to be forgotten last.
const MAX_GONE: usize = 50_000;
/// Former containers of a pod that are still known by name.
const MAX_FORMER: usize = 16;

/// A pod that is gone.
#[derive(Debug)]
pub(super) struct Gone {
    object: Object,
    at: UnixMs,
}

/// Finds pods.
#[derive(Debug, Default)]
pub(super) struct Pods {
    living: HashMap<Text, Key>,
    gone: HashMap<Text, Gone>,
    /// What the node calls a static pod → its UID.
    aliases: HashMap<Text, Text>,
    /// Containers before their last two restarts: pod's UID → (id, name).
    former: HashMap<Text, Vec<(Box<str>, Text)>>,
    /// Ports that pods on their node's network say they listen on.
    host_ports: HashMap<(Text, u16, Protocol), Vec<Text>>,
}

impl Pods {
    /// Takes a pod as it is now.
    pub(super) fn put(&mut self, meta: &Meta, pod: &Pod, before: Option<&Pod>) {
        let key = (Text::clone(&meta.namespace), Text::clone(&meta.name));
        self.living.insert(Text::clone(&meta.uid), key);
        if let Some(alias) = &pod.node_uid {
            self.aliases
                .insert(Text::clone(alias), Text::clone(&meta.uid));
        }
        if let Some(before) = before {
            self.note_former(&meta.uid, pod, before);
        }
        for port in host_ports(pod) {
            let of_port = self.host_ports.entry(port).or_default();
            if !of_port.contains(&meta.uid) {
                of_port.push(Text::clone(&meta.uid));
            }
        }
    }

    fn note_former(&mut self, uid: &Text, pod: &Pod, before: &Pod) {
        let ids = |pod: &Pod, id: &str| {
            let mut containers = pod.containers.iter();
            containers.any(|known| &*known.id == id || &*known.last_id == id)
        };
        for old in &before.containers {
            for id in [&old.id, &old.last_id] {
                if id.is_empty() || ids(pod, id) {
                    continue;
                }
                let former = self.former.entry(Text::clone(uid)).or_default();
                if former.len() == MAX_FORMER {
                    former.remove(0);
                }
                former.push((id.clone(), Text::clone(&old.name)));
            }
        }
    }

    /// A pod is gone; it is remembered.
    pub(super) fn gone(&mut self, object: Object, at: UnixMs) {
        self.living.remove(&object.meta.uid);
        if let Some(pod) = object.pod() {
            for port in host_ports(pod) {
                if let Some(of_port) = self.host_ports.get_mut(&port) {
                    of_port.retain(|uid| *uid != object.meta.uid);
                }
            }
        }
        let uid = Text::clone(&object.meta.uid);
        self.gone.insert(uid, Gone { object, at });
        if self.gone.len() > MAX_GONE {
            self.drop_oldest();
        }
    }

    /// A tenth at once, so that it is seldom done.
    fn drop_oldest(&mut self) {
        let mut times: Vec<UnixMs> = self.gone.values().map(|gone| gone.at).collect();
        let (_, tenth, _) = times.select_nth_unstable(MAX_GONE / 10);
        let until = *tenth;
        self.forget(until);
    }

    /// Where the living pod with this UID is, or what is known of one that is gone. Takes the UID that a node calls a static pod by, too.
    pub(super) fn find(&self, uid: &str) -> Option<Found<'_>> {
        let uid = self.aliases.get(uid).map_or(uid, |uid| uid);
        match self.living.get(uid) {
            Some(key) => Some(Found::Living(key)),
            None => self.gone.get(uid).map(|gone| Found::Gone(&gone.object)),
        }
    }

    /// The name of a container that the pod does not have any more.
    pub(super) fn former(&self, uid: &str, container: &str) -> Option<&Text> {
        let mut former = self.former.get(uid)?.iter();
        former
            .find(|(id, _)| bare(id) == container)
            .map(|(_, name)| name)
    }

    /// The pod on this node's network that says it listens on the port; none if several do.
    pub(super) fn on_port(&self, node: &str, port: u16, protocol: Protocol) -> Option<&Text> {
        let of_port = self.host_ports.get(&(Text::from(node), port, protocol))?;
        match of_port.as_slice() {
            [uid] => Some(uid),
            _ => None,
        }
    }

    /// Forgets pods that were gone before `before`.
    pub(super) fn forget(&mut self, before: UnixMs) {
        self.gone.retain(|_, gone| gone.at >= before);
        let known = |uid: &Text| self.living.contains_key(uid) || self.gone.contains_key(uid);
        self.aliases.retain(|_, uid| known(uid));
        self.former.retain(|uid, _| known(uid));
        self.host_ports.retain(|_, of_port| !of_port.is_empty());
    }

    /// The pods that are gone.
    pub(super) fn all_gone(&self) -> impl Iterator<Item = &Object> {
        self.gone.values().map(|gone| &gone.object)
    }
}

/// A pod that was found.
pub(super) enum Found<'a> {
    Living(&'a Key),
    Gone(&'a Object),
}

/// A container's id without its runtime.
pub(super) fn bare(id: &str) -> &str {
    id.split_once("://").map_or(id, |(_, id)| id)
}

fn host_ports(pod: &Pod) -> impl Iterator<Item = (Text, u16, Protocol)> {
    pod.containers.iter().flat_map(|container| {
        container.ports.iter().filter_map(|port| {
            let number = if pod.host_network {
                port.port
            } else {
                port.host_port
            };
            (number != 0 && !pod.node.is_empty())
                .then(|| (Text::clone(&pod.node), number, port.protocol))
        })
    })
}
