//! Pods on nodes, their containers and images.

use std::borrow::Cow;

use super::super::ids;
use super::super::kinds::{CONTAINER, IMAGE, RelationKind};
use super::build::Builder;
use super::{Resource, Subject, nodes};
use crate::kubernetes::object::{ApiKind, Container, Object};
use crate::model::UnixMs;

pub(super) fn add(builder: &mut Builder<'_>) {
    for (object, pod, changed) in builder.pods() {
        let Some(place) = builder.find(&ids::object(&object.meta)) else {
            continue;
        };
        if !pod.node.is_empty() {
            let node = nodes::find_or_add(builder, &pod.node, changed);
            builder.relate(node, RelationKind::Runs, place, 0);
        }
        for container in &pod.containers {
            add_container(builder, place, object, container, changed);
        }
        for claim in &pod.claims {
            let kind = ApiKind::PersistentVolumeClaim;
            if let Some(claim) = builder.find_object(&kind, &object.meta.namespace, claim, None) {
                builder.relate(place, RelationKind::Mounts, claim, 0);
            }
        }
    }
}

fn add_container<'s>(
    builder: &mut Builder<'s>,
    pod: usize,
    object: &'s Object,
    container: &'s Container,
    changed: UnixMs,
) {
    let place = builder.add(Resource {
        id: ids::container(&object.meta, container),
        kind: Cow::Borrowed(CONTAINER),
        namespace: &object.meta.namespace,
        name: &container.name,
        timestamp: changed,
        subject: Subject::Container(object, container),
    });
    builder.relate(pod, RelationKind::Contains, place, 0);
    if container.image_id.is_empty() {
        return;
    }
    let image = builder.add(Resource {
        id: ids::image(&container.image_id),
        kind: Cow::Borrowed(IMAGE),
        namespace: "",
        name: &container.image,
        timestamp: changed,
        subject: Subject::Image(&container.image),
    });
    // As old as the oldest container of it.
    let known = builder.resource(image);
    known.timestamp = known.timestamp.min(changed);
    builder.relate(place, RelationKind::CreatedFrom, image, changed);
}
