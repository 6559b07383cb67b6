//! Which resource an end of connections is.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use insight_proto::v1;

use super::super::ids;
use super::super::kinds::{CONTAINER, RelationKind};
use super::build::Builder;
use super::{Resource, Subject, nodes};
use crate::kubernetes::object::ApiKind;
use crate::model::UnixMs;

/// Looks ends up.
pub(super) struct Ends<'s> {
    /// Places of pods by their UIDs, also by those that their nodes know them by.
    pods: HashMap<&'s str, usize>,
    /// Places of containers by their ids without the runtime.
    containers: HashMap<&'s str, usize>,
    /// Types by their names in lower case.
    types: BTreeMap<String, &'s str>,
}

impl<'s> Ends<'s> {
    pub(super) fn new(builder: &Builder<'s>) -> Self {
        let mut pods = HashMap::new();
        let mut containers = HashMap::new();
        for (object, pod, _) in builder.pods() {
            let Some(place) = builder.find(&ids::object(&object.meta)) else {
                continue;
            };
            pods.insert(&*object.meta.uid, place);
            if let Some(uid) = &pod.node_uid {
                pods.insert(&**uid, place);
            }
            for container in &pod.containers {
                if let Some(place) = builder.find(&ids::container(&object.meta, container)) {
                    for id in [&container.id, &container.last_id] {
                        if let Some((_, id)) = id.split_once("://") {
                            containers.insert(id, place);
                        }
                    }
                }
            }
        }
        let types = ApiKind::NAMED
            .iter()
            .map(|kind| (kind.name().to_lowercase(), kind.name()))
            .chain(builder.snapshot.objects.keys().map(|kind| {
                let name = super::super::kinds::of_object(kind);
                (name.to_lowercase(), name)
            }))
            .collect();
        Self {
            pods,
            containers,
            types,
        }
    }

    /// The resource of an end: the object that its id names, or one of its own.
    pub(super) fn find_or_add(
        &self,
        builder: &mut Builder<'s>,
        end: &'s v1::Node,
        at: UnixMs,
    ) -> usize {
        let (kind, name) = end.id.split_once(':').unwrap_or((&end.kind, &end.id));
        let known = match kind {
            "pod" => self.pods.get(name).copied(),
            "container" => self.containers.get(name).copied(),
            _ => None,
        };
        if let Some(place) = known {
            return place;
        }
        let (kind, id) = self.id(kind, name, end);
        if let Some(place) = builder.find(&id) {
            return place;
        }
        if kind == ApiKind::Node.name() {
            return nodes::find_or_add(builder, name, at);
        }
        let is_pod = kind == ApiKind::Pod.name();
        let place = builder.add(Resource {
            id,
            kind,
            namespace: &end.namespace,
            name: &end.name,
            timestamp: at,
            subject: Subject::End(end),
        });
        if !end.node.is_empty() {
            let node = nodes::find_or_add(builder, &end.node, at);
            let kind = if is_pod {
                RelationKind::Runs
            } else {
                RelationKind::Contains
            };
            builder.relate(node, kind, place, 0);
        }
        place
    }

    /// Type and id of an end that is neither a known pod nor a known container.
    fn id(&self, kind: &str, name: &str, end: &v1::Node) -> (Cow<'s, str>, String) {
        if let Some(&known) = self.types.get(kind) {
            return (Cow::Borrowed(known), format!("{known}:{name}"));
        }
        if kind == "container" {
            let runtime = end.labels.get("runtime").map_or("unknown", String::as_str);
            let id = match runtime {
                "unknown" => format!("{CONTAINER}:{name}"),
                runtime => format!("{CONTAINER}:{runtime}://{name}"),
            };
            return (Cow::Borrowed(CONTAINER), id);
        }
        let mut letters = kind.chars();
        let kind: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(letters)
            .collect();
        let id = format!("{kind}:{name}");
        (Cow::Owned(kind), id)
    }
}
