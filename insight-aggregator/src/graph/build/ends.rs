//! The nodes of a graph while it is made.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use foldhash::fast::RandomState;
use insight_proto::v1;

use super::map::{Map, Set};
use super::names::{self, Named};
use crate::identity::is_local_only;
use crate::kubernetes::index::{Holder, Key};
use crate::kubernetes::object::{Meta, Text};
use crate::kubernetes::{Index, WorkloadName};
use crate::model::{Entity, EntityId, Kind, Level, Protocol, Window};

/// Candidates that an ambiguous node's label names; the rest are counted. A host's address can have hundreds.
const CANDIDATES_NAMED: usize = 8;

/// A node of the graph, by number: rows are compared and added up by the million, and texts are slow to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct End(pub(super) u32);

/// Every end that was met, each once.
pub(super) struct Ends<'w> {
    window: &'w Window,
    index: &'w Index,
    level: Level,
    nodes: Vec<v1::Node>,
    by_entity: Map<&'w str, End>,
    by_pod: Map<&'w str, End>,
    by_id: Map<String, End>,
    services: Map<End, BTreeSet<&'w Key>>,
    candidates: Map<End, BTreeSet<End>>,
    /// Those that are, or hold, pods of which Kubernetes has told nothing yet.
    untold: Set<End>,
}

impl<'w> Ends<'w> {
    pub(super) fn new(window: &'w Window, level: Level, index: &'w Index) -> Self {
        Self {
            window,
            index,
            level,
            nodes: Vec::new(),
            by_entity: Map::with_capacity_and_hasher(window.entities.len(), RandomState::default()),
            by_pod: Map::default(),
            by_id: Map::default(),
            services: Map::default(),
            candidates: Map::default(),
            untold: Set::default(),
        }
    }

    /// The end at this graph's level that the entity is, or is part of.
    pub(super) fn entity(&mut self, id: &'w EntityId) -> End {
        if let Some(end) = self.by_entity.get(&**id) {
            return *end;
        }
        let end = match self.window.entities.get(id) {
            Some(entity) => self.described(entity, self.level),
            None => self.intern(names::nameless(id)),
        };
        self.by_entity.insert(id, end);
        end
    }

    /// The pod that the entity is in, or what that is part of at this graph's level.
    pub(super) fn pod_of(&mut self, entity: &Entity) -> End {
        self.described(entity, self.level.max(Level::Pod))
    }

    fn described(&mut self, entity: &Entity, level: Level) -> End {
        let named = names::of_entity(entity, level, self.index);
        let end = self.named(named);
        if entity.pod_kind == Kind::Pod
            && let Some(uid) = entity.labels.get("pod_uid")
            && self.index.pod(uid).is_none()
        {
            self.untold.insert(end);
        }
        end
    }

    /// Whether it was met as a pod that Kubernetes has not told of yet: then what is said of that pod's address may be of its last holder.
    pub(super) fn is_untold(&self, end: End) -> bool {
        self.untold.contains(&end)
    }

    /// A pod that the index knows, at this graph's level: at container level its only container, or the pod.
    pub(super) fn pod(&mut self, uid: &'w str) -> End {
        if let Some(end) = self.by_pod.get(uid) {
            return *end;
        }
        let end = match names::of_pod(uid, self.level, self.index) {
            Some(named) => self.named(named),
            None => self.intern(names::nameless(&format!("pod:{uid}"))),
        };
        self.by_pod.insert(uid, end);
        end
    }

    /// A Service whose backends are not told apart, or that has none.
    pub(super) fn service(&mut self, key: &Key) -> End {
        let node = names::service(key, self.level, self.index);
        self.intern(node)
    }

    /// A workload with or without pods.
    pub(super) fn workload(&mut self, meta: &Meta) -> End {
        let name = WorkloadName {
            kind: meta.kind.clone(),
            namespace: Text::clone(&meta.namespace),
            name: Text::clone(&meta.name),
        };
        let node = names::workload(&name, std::iter::empty(), self.index);
        self.intern(node)
    }

    /// A namespace.
    pub(super) fn namespace(&mut self, name: &str) -> End {
        let node = names::namespace(name, self.index);
        self.intern(node)
    }

    /// What Kubernetes says.
    pub(super) fn index(&self) -> &'w Index {
        self.index
    }

    fn named(&mut self, named: Named<'w>) -> End {
        let end = self.intern(named.node);
        if !named.services.is_empty() {
            self.services.entry(end).or_default().extend(named.services);
        }
        end
    }

    /// The end that everything on `node` is part of.
    pub(super) fn host(&mut self, node: &str) -> End {
        self.intern(names::host(node, self.level, self.index))
    }

    /// An address that no agent watches, as seen from `from`.
    pub(super) fn external(&mut self, address: IpAddr, from: End) -> End {
        let (node, place) = self.place(address, from, address.to_string());
        self.intern(v1::Node {
            id: format!("external:{place}"),
            kind: Kind::External.as_str().to_owned(),
            name: address.to_string(),
            node,
            labels: [("address".to_owned(), address.to_string())].into(),
            ..v1::Node::default()
        })
    }

    /// Addresses outside of the cluster, counted together.
    pub(super) fn prefix(&mut self, address: IpAddr, bits: u8) -> End {
        let prefix = format!("{address}/{bits}");
        self.intern(v1::Node {
            id: format!("external:{prefix}"),
            kind: Kind::External.as_str().to_owned(),
            name: prefix.clone(),
            labels: [("prefix".to_owned(), prefix)].into(),
            ..v1::Node::default()
        })
    }

    /// An address, or a port at an address, that several ends claim, as seen from `from`.
    pub(super) fn ambiguous(
        &mut self,
        address: IpAddr,
        port: Option<u16>,
        from: End,
        candidates: &BTreeSet<End>,
    ) -> End {
        let name = match port {
            Some(port) => SocketAddr::new(address, port).to_string(),
            None => address.to_string(),
        };
        let (node, place) = self.place(address, from, name.clone());
        let end = self.intern(v1::Node {
            id: format!("ambiguous:{place}"),
            kind: Kind::Ambiguous.as_str().to_owned(),
            name,
            node,
            labels: [("address".to_owned(), address.to_string())].into(),
            ..v1::Node::default()
        });
        self.candidates.entry(end).or_default().extend(candidates);
        end
    }

    /// The node of such an address and how the address is written in an id: two nodes' loopbacks are two places.
    fn place(&self, address: IpAddr, from: End, name: String) -> (String, String) {
        if is_local_only(address) {
            let node = self.host_of(from).to_owned();
            let place = format!("{node}/{name}");
            (node, place)
        } else {
            (String::new(), name)
        }
    }

    fn intern(&mut self, node: v1::Node) -> End {
        if let Some(end) = self.by_id.get(&node.id) {
            return *end;
        }
        let end = End(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.by_id.insert(node.id.clone(), end);
        self.nodes.push(node);
        end
    }

    /// As it was met.
    pub(super) fn get(&self, end: End) -> &v1::Node {
        &self.nodes[end.0 as usize]
    }

    /// Whom an ambiguous end may be.
    pub(super) fn candidates(&self, end: End) -> impl Iterator<Item = End> {
        self.candidates.get(&end).into_iter().flatten().copied()
    }

    /// Its id.
    pub(super) fn id(&self, end: End) -> &str {
        &self.get(end).id
    }

    /// Name of the Linux node it is on.
    pub(super) fn host_of(&self, end: End) -> &str {
        &self.get(end).node
    }

    /// The Services that these addresses are, or were, as `NAMESPACE/NAME:PORT`.
    pub(super) fn services_at(
        &self,
        dialed: &BTreeSet<SocketAddr>,
        protocol: Protocol,
    ) -> Vec<String> {
        let (from, to) = (self.window.from, self.window.to);
        let mut names = BTreeSet::new();
        for address in dialed {
            for holder in self.index.holders(address.ip(), from, to) {
                let named = match holder {
                    Holder::Service(key) => Some((key, address.port())),
                    Holder::Node(_) => {
                        let at = self.index.node_port(address.port(), protocol);
                        at.and_then(|(key, at)| Some((key, at.port?.port)))
                    }
                    Holder::Pod(_) => None,
                };
                if let Some(((namespace, name), port)) = named {
                    names.insert(format!("{namespace}/{name}:{port}"));
                }
            }
        }
        names.into_iter().collect()
    }

    /// Whether it is a node of Linux.
    pub(super) fn is_host(&self, end: End) -> bool {
        self.get(end).kind == Kind::Node.as_str()
    }

    /// As readers get it, without metrics.
    pub(super) fn node(&self, end: End) -> v1::Node {
        let mut node = self.get(end).clone();
        if let Some(services) = self.services.get(&end) {
            let name = |(namespace, name): &&Key| format!("{namespace}/{name}");
            node.services = services.iter().map(name).collect();
        }
        if let Some(candidates) = self.candidates.get(&end) {
            let mut ids: Vec<&str> = candidates.iter().map(|end| self.id(*end)).collect();
            ids.sort_unstable();
            let more = ids.len().saturating_sub(CANDIDATES_NAMED);
            ids.truncate(CANDIDATES_NAMED);
            let mut text = ids.join(", ");
            if more > 0 {
                text.push_str(&format!(" and {more} more"));
            }
            node.labels.insert("candidates".to_owned(), text);
        }
        node
    }

    /// Meets every entity of the window, those without rows too.
    pub(super) fn meet_all(&mut self) {
        for id in self.window.entities.keys() {
            self.entity(id);
        }
    }

    /// The end with this id; a container's id finds what the container is part of.
    pub(super) fn by_id(&self, id: &str) -> Option<End> {
        self.by_id
            .get(id)
            .or_else(|| self.by_entity.get(id))
            .copied()
    }

    /// All ends with their ids and names.
    pub(super) fn all(&self) -> impl Iterator<Item = (End, &str, &str)> {
        (0..)
            .zip(&self.nodes)
            .map(|(number, node)| (End(number), node.id.as_str(), node.name.as_str()))
    }

    /// The graph's level.
    pub(super) fn level(&self) -> Level {
        self.level
    }
}
