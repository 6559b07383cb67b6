//! The parts put together.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::super::ids;
use super::super::kinds::{self, CLUSTER, RelationKind};
use super::super::snapshot::Snapshot;
use super::{Graph, Relation, Resource, Subject, nodes, owners, pods, related, services, traffic};
use crate::kubernetes::object::{ApiKind, Body, Object, Pod};
use crate::model::UnixMs;

/// The cluster's name: Kubernetes has none to tell.
pub(super) const CLUSTER_NAME: &str = "_unknown_";

/// All resources and relations.
pub(in super::super) fn build(snapshot: &Snapshot) -> Graph<'_> {
    let mut builder = Builder::new(snapshot);
    for stored in snapshot.all() {
        builder.object(&stored.object, stored.changed);
    }
    nodes::add(&mut builder);
    pods::add(&mut builder);
    services::add(&mut builder);
    owners::add(&mut builder);
    related::add(&mut builder);
    traffic::add(&mut builder);
    builder.finish()
}

/// A graph that grows.
pub(super) struct Builder<'s> {
    pub(super) snapshot: &'s Snapshot,
    graph: Graph<'s>,
    by_id: HashMap<String, usize>,
    /// Source, type and target of what is related already.
    related: HashSet<(usize, RelationKind, usize)>,
}

impl<'s> Builder<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            graph: Graph::default(),
            by_id: HashMap::new(),
            related: HashSet::new(),
        }
    }

    fn object(&mut self, object: &'s Object, changed: UnixMs) {
        let meta = &object.meta;
        self.add(Resource {
            id: ids::object(meta),
            kind: Cow::Borrowed(kinds::of_object(&meta.kind)),
            namespace: &meta.namespace,
            name: &meta.name,
            timestamp: changed,
            subject: Subject::Object(object),
        });
    }

    /// Takes a resource; one that is there already stays as it is. Answers where it is.
    pub(super) fn add(&mut self, resource: Resource<'s>) -> usize {
        if let Some(&known) = self.by_id.get(&resource.id) {
            return known;
        }
        let place = self.graph.resources.len();
        self.by_id.insert(resource.id.clone(), place);
        self.graph.resources.push(resource);
        place
    }

    /// Where a resource is.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Where an object is. With a UID, none of another.
    pub(super) fn find_object(
        &self,
        kind: &ApiKind,
        namespace: &str,
        name: &str,
        uid: Option<&str>,
    ) -> Option<usize> {
        let place = self.find(&ids::named(kind, namespace, name))?;
        let is_it = match (self.graph.resources[place].subject, uid) {
            (Subject::Object(object), Some(uid)) => &*object.meta.uid == uid,
            _ => true,
        };
        is_it.then_some(place)
    }

    pub(super) fn resource(&mut self, place: usize) -> &mut Resource<'s> {
        &mut self.graph.resources[place]
    }

    /// Relates two resources, since the later of them changed, or since `via`, which says so.
    pub(super) fn relate(&mut self, source: usize, kind: RelationKind, target: usize, via: UnixMs) {
        let since = |place: usize| self.graph.resources[place].timestamp;
        let timestamp = since(source).max(since(target)).max(via);
        self.push(Relation {
            source,
            target,
            kind,
            timestamp,
            changed: timestamp,
            metadata: None,
        });
    }

    /// Takes a relation. Two resources are related once in each way, but they may talk over several ports.
    pub(super) fn push(&mut self, relation: Relation) {
        let key = (relation.source, relation.kind, relation.target);
        if relation.kind == RelationKind::CommunicatesWith || self.related.insert(key) {
            self.graph.relations.push(relation);
        }
    }

    /// All pods.
    pub(super) fn pods(&self) -> impl Iterator<Item = (&'s Object, &'s Pod, UnixMs)> + use<'s> {
        let snapshot = self.snapshot;
        snapshot.of_kind(&ApiKind::Pod).filter_map(|stored| {
            let object = &stored.object;
            match &object.body {
                Body::Pod(pod) => Some((object, &**pod, stored.changed)),
                _ => None,
            }
        })
    }

    /// The pods of a namespace.
    pub(super) fn pods_of(&self, namespace: &str) -> impl Iterator<Item = &'s Object> + use<'s> {
        let snapshot = self.snapshot;
        let pods = snapshot
            .objects
            .get(&ApiKind::Pod)
            .map_or(&[][..], Vec::as_slice);
        let start = pods.partition_point(|pod| &*pod.object.meta.namespace < namespace);
        let end = pods.partition_point(|pod| &*pod.object.meta.namespace <= namespace);
        pods[start..end].iter().map(|pod| &pod.object)
    }

    /// The graph, with the cluster around it.
    fn finish(mut self) -> Graph<'s> {
        let is_inside = |resource: &Resource<'_>| match resource.subject {
            // Nodes contain these, pods, or nobody.
            Subject::Container(..) | Subject::Image(_) | Subject::End(_) => false,
            Subject::Object(Object {
                body: Body::Pod(pod),
                ..
            }) => pod.node.is_empty(),
            Subject::Object(_) | Subject::Named | Subject::Cluster => true,
        };
        let inside: Vec<usize> = (0..self.graph.resources.len())
            .filter(|place| is_inside(&self.graph.resources[*place]))
            .collect();
        if inside.is_empty() {
            return self.graph;
        }
        let oldest = |nodes_only: bool| {
            let resources = self.graph.resources.iter();
            resources
                .filter(|resource| !nodes_only || resource.kind == ApiKind::Node.name())
                .map(|resource| resource.timestamp)
                .min()
        };
        let timestamp = oldest(true).or_else(|| oldest(false)).unwrap_or_default();
        let cluster = self.add(Resource {
            id: ids::join(CLUSTER, "", CLUSTER_NAME),
            kind: Cow::Borrowed(CLUSTER),
            namespace: "",
            name: CLUSTER_NAME,
            timestamp,
            subject: Subject::Cluster,
        });
        for place in inside {
            self.relate(cluster, RelationKind::Contains, place, 0);
        }
        self.graph
    }
}
