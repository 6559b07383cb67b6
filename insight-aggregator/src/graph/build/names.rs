//! What a node of the graph is called at each level, and what is said of it.

use insight_proto::v1;

use crate::kubernetes::index::{Key, Person};
use crate::kubernetes::object::{ApiKind, ContainerRole, Labels, Text};
use crate::kubernetes::{Index, WorkloadName};
use crate::model::{Entity, Kind, Level};

/// Labels that Kubernetes gives each pod, or each generation of them, to tell them apart, and those of the node that it is on: a workload has none of
/// its own.
const OF_ONE_POD: [&str; 9] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "controller-uid",
    // Since Kubernetes 1.35 a pod has them from its node.
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// A node with the Services that a pod of it stands behind.
pub(super) struct Named<'i> {
    pub(super) node: v1::Node,
    pub(super) services: Vec<&'i Key>,
}

impl From<v1::Node> for Named<'_> {
    fn from(node: v1::Node) -> Self {
        Self {
            node,
            services: Vec::new(),
        }
    }
}

/// What an agent saw, at a level.
pub(super) fn of_entity<'i>(entity: &Entity, level: Level, index: &'i Index) -> Named<'i> {
    let uid = entity
        .labels
        .get("pod_uid")
        .filter(|_| entity.pod_kind == Kind::Pod);
    let Some(person) = uid.and_then(|uid| index.pod(uid)) else {
        return unknown(entity, level, index).into();
    };
    if level != Level::Container {
        let mut named = at_level(person, level, index);
        if level == Level::Pod
            && let Some(qos) = entity.labels.get("qos")
        {
            named.node.labels.insert("qos".to_owned(), qos.clone());
        }
        return named;
    }
    let id = entity.labels.get("container_id");
    let container = id.and_then(|id| index.container_name(person, id));
    let mut node = v1::Node {
        id: entity.id.to_string(),
        kind: entity.kind.as_str().to_owned(),
        name: container.map_or_else(
            || entity.name.clone(),
            |container| format!("{}/{container}", person.meta.name),
        ),
        labels: entity.labels.clone().into_iter().collect(),
        ..pod(person, index)
    };
    if let Some(container) = container {
        node.labels
            .insert("container".to_owned(), container.to_string());
    }
    with_services(node, person, index)
}

/// A pod that the index knows, at a level.
pub(super) fn of_pod<'i>(uid: &str, level: Level, index: &'i Index) -> Option<Named<'i>> {
    let person = index.pod(uid)?;
    if level != Level::Container {
        return Some(at_level(person, level, index));
    }
    let mut running = person.pod.containers.iter().filter(|container| {
        let for_good = matches!(container.role, ContainerRole::Main | ContainerRole::Sidecar);
        for_good && !container.id.is_empty()
    });
    let node = match (running.next(), running.next()) {
        (Some(only), None) => {
            let id = only.id.split_once("://").map_or(&*only.id, |(_, id)| id);
            let mut node = v1::Node {
                id: format!("container:{id}"),
                kind: Kind::Container.as_str().to_owned(),
                name: format!("{}/{}", person.meta.name, only.name),
                ..pod(person, index)
            };
            let known = [("container_id", id), ("container", &only.name)];
            let known = known.map(|(key, value)| (key.to_owned(), value.to_owned()));
            node.labels.extend(known);
            node
        }
        _ => pod(person, index),
    };
    Some(with_services(node, person, index))
}

/// A pod at pod level, or coarser.
fn at_level<'i>(person: Person<'i>, level: Level, index: &'i Index) -> Named<'i> {
    match level {
        Level::Container | Level::Pod => with_services(pod(person, index), person, index),
        Level::Workload => with_services(workload_of(person, index), person, index),
        Level::Service => match service_of(person, index) {
            Some(key) => service(key, level, index).into(),
            None => with_services(workload_of(person, index), person, index),
        },
        Level::Namespace => namespace(&person.meta.namespace, index).into(),
        Level::Node | Level::Zone => host(&person.pod.node, level, index).into(),
    }
}

fn with_services<'i>(node: v1::Node, person: Person<'i>, index: &'i Index) -> Named<'i> {
    Named {
        node,
        services: index.services_of(&person.meta.uid).collect(),
    }
}

fn pod(person: Person<'_>, index: &Index) -> v1::Node {
    let Person { meta, pod } = person;
    let workload = index.workload(person);
    v1::Node {
        id: format!("pod:{}", meta.uid),
        kind: Kind::Pod.as_str().to_owned(),
        name: meta.name.to_string(),
        namespace: meta.namespace.to_string(),
        node: pod.node.to_string(),
        labels: [("pod_uid".to_owned(), meta.uid.to_string())].into(),
        kubernetes_labels: texts(&meta.labels).collect(),
        zone: zone_of(&pod.node, index),
        workload: match workload.kind {
            ApiKind::Pod => String::new(),
            _ => workload_id(&workload),
        },
        ..v1::Node::default()
    }
}

fn workload_of(person: Person<'_>, index: &Index) -> v1::Node {
    let name = index.workload(person);
    if name.kind == ApiKind::Pod {
        return pod(person, index);
    }
    let shared = |(key, _): &(String, String)| !OF_ONE_POD.contains(&key.as_str());
    workload(&name, texts(&person.meta.labels).filter(shared), index)
}

/// A workload, with the labels that its pods share.
pub(super) fn workload(
    name: &WorkloadName,
    of_pods: impl Iterator<Item = (String, String)>,
    index: &Index,
) -> v1::Node {
    let own = index.get(&name.kind, &name.namespace, &name.name);
    let own = own.map(|stored| &stored.object.meta.labels);
    v1::Node {
        id: workload_id(name),
        kind: name.kind.name().to_lowercase(),
        name: name.name.to_string(),
        namespace: name.namespace.to_string(),
        kubernetes_labels: of_pods.chain(own.into_iter().flat_map(texts)).collect(),
        ..v1::Node::default()
    }
}

/// `deployment:shop/web`; of what is not Kubernetes' own with the group, `rollout.argoproj.io:shop/web`.
fn workload_id(name: &WorkloadName) -> String {
    let WorkloadName {
        kind,
        namespace,
        name,
    } = name;
    match kind {
        ApiKind::Other(full) => format!("{}:{namespace}/{name}", full.to_lowercase()),
        kind => format!("{}:{namespace}/{name}", kind.name().to_lowercase()),
    }
}

/// The one Service that a pod is counted with: one with an address before a headless one, then the first by name.
fn service_of<'i>(person: Person<'i>, index: &'i Index) -> Option<&'i Key> {
    let is_headless = |(namespace, name): &Key| {
        let stored = index.get(&ApiKind::Service, namespace, name);
        let service = stored.and_then(|stored| stored.object.service());
        service.is_none_or(|service| service.cluster_addresses.is_empty())
    };
    index
        .services_of(&person.meta.uid)
        .min_by_key(|key| (is_headless(key), *key))
}

/// A Service as an end of its own.
pub(super) fn service(key: &Key, level: Level, index: &Index) -> v1::Node {
    let (namespace, name) = key;
    if level == Level::Namespace {
        return self::namespace(namespace, index);
    }
    let stored = index.get(&ApiKind::Service, namespace, name);
    let labels = stored.map(|stored| &stored.object.meta.labels);
    v1::Node {
        id: format!("service:{namespace}/{name}"),
        kind: "service".to_owned(),
        name: name.to_string(),
        namespace: namespace.to_string(),
        kubernetes_labels: labels.into_iter().flat_map(texts).collect(),
        ..v1::Node::default()
    }
}

pub(super) fn namespace(name: &str, index: &Index) -> v1::Node {
    let stored = index.get(&ApiKind::Namespace, "", name);
    let labels = stored.map(|stored| &stored.object.meta.labels);
    v1::Node {
        id: format!("namespace:{name}"),
        kind: "namespace".to_owned(),
        name: name.to_owned(),
        namespace: name.to_owned(),
        kubernetes_labels: labels.into_iter().flat_map(texts).collect(),
        ..v1::Node::default()
    }
}

/// A node of Linux, or its zone.
pub(super) fn host(node: &str, level: Level, index: &Index) -> v1::Node {
    let zone = zone_of(node, index);
    if level == Level::Zone && !zone.is_empty() {
        return v1::Node {
            id: format!("zone:{zone}"),
            kind: "zone".to_owned(),
            name: zone.clone(),
            zone,
            ..v1::Node::default()
        };
    }
    let stored = index.get(&ApiKind::Node, "", node);
    let labels = stored.map(|stored| &stored.object.meta.labels);
    v1::Node {
        id: format!("node:{node}"),
        kind: Kind::Node.as_str().to_owned(),
        name: node.to_owned(),
        node: node.to_owned(),
        kubernetes_labels: labels.into_iter().flat_map(texts).collect(),
        zone,
        ..v1::Node::default()
    }
}

/// What Kubernetes does not know, as its agent tells it.
fn unknown(entity: &Entity, level: Level, index: &Index) -> v1::Node {
    let node = |id: &str, kind: Kind, name: &str, labels| v1::Node {
        id: id.to_owned(),
        kind: kind.as_str().to_owned(),
        name: name.to_owned(),
        namespace: entity.namespace.clone(),
        node: entity.node.clone(),
        labels,
        zone: zone_of(&entity.node, index),
        ..v1::Node::default()
    };
    let labels = entity
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()));
    match level {
        Level::Container => node(&entity.id, entity.kind, &entity.name, labels.collect()),
        Level::Pod | Level::Workload | Level::Service => {
            // What all containers of a pod share; the rest would be one container's, by chance.
            let shared =
                |key: &str| entity.pod_kind != Kind::Pod || matches!(key, "pod_uid" | "qos");
            node(
                &entity.pod,
                entity.pod_kind,
                &entity.pod_name,
                labels.filter(|(key, _)| shared(key)).collect(),
            )
        }
        Level::Namespace | Level::Node | Level::Zone => host(&entity.node, level, index),
    }
}

/// A row whose entity the window does not hold: its id is all that is known, at every level. The counts still count.
pub(super) fn nameless(id: &str) -> v1::Node {
    let kind = id.split_once(':').and_then(|(kind, _)| Kind::parse(kind));
    v1::Node {
        id: id.to_owned(),
        kind: kind.unwrap_or(Kind::Cgroup).as_str().to_owned(),
        name: id.to_owned(),
        ..v1::Node::default()
    }
}

fn zone_of(node: &str, index: &Index) -> String {
    index.zone(node).map(Text::to_string).unwrap_or_default()
}

fn texts(labels: &Labels) -> impl Iterator<Item = (String, String)> {
    labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
}
