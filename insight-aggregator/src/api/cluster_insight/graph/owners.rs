//! Who owns whom, by owner references.

use std::borrow::Cow;
use std::collections::HashSet;

use super::super::ids;
use super::super::kinds::{self, RelationKind};
use super::build::Builder;
use super::{Resource, Subject};
use crate::kubernetes::object::{ApiKind, Meta, Owner};
use crate::model::UnixMs;

/// Controllers above a pod: a CronJob's is the second, and who controls Deployments is the third.
const MAX_CHAIN: usize = 8;

pub(super) fn add(builder: &mut Builder<'_>) {
    for stored in builder.snapshot.all() {
        let meta = &stored.object.meta;
        let Some(place) = builder.find(&ids::object(meta)) else {
            continue;
        };
        for owner in meta.controller.iter().chain(&meta.owners) {
            if let Some(owner) = find_or_add(builder, meta, owner, stored.changed) {
                builder.relate(owner, RelationKind::Owns, place, 0);
            }
        }
        if meta.kind == ApiKind::Pod {
            monitor(builder, place, meta, stored.changed);
        }
    }
}

/// Relates each controller above a pod to it.
fn monitor<'s>(builder: &mut Builder<'s>, pod: usize, meta: &'s Meta, at: UnixMs) {
    let mut next = meta.controller.as_ref().map(|owner| (meta, owner));
    let mut seen = HashSet::new();
    while let Some((below, owner)) = next {
        // A static pod is its node's own; the node runs it.
        if owner.kind == ApiKind::Node || seen.len() == MAX_CHAIN {
            return;
        }
        let Some(place) = find_or_add(builder, below, owner, at) else {
            return;
        };
        if !seen.insert(place) {
            return;
        }
        builder.relate(place, RelationKind::Monitors, pod, 0);
        next = match builder.resource(place).subject {
            Subject::Object(object) => {
                let meta = &object.meta;
                meta.controller.as_ref().map(|owner| (meta, owner))
            }
            _ => None,
        };
    }
}

/// The owner of an object: one that is known, with the same UID, or one that only the reference tells of.
fn find_or_add<'s>(
    builder: &mut Builder<'s>,
    owned: &'s Meta,
    owner: &'s Owner,
    at: UnixMs,
) -> Option<usize> {
    // An owner is in the same namespace or has none; the reference does not tell which.
    for namespace in [&*owned.namespace, ""] {
        if builder
            .find(&ids::named(&owner.kind, namespace, &owner.name))
            .is_some()
        {
            return builder.find_object(&owner.kind, namespace, &owner.name, Some(&owner.uid));
        }
    }
    if builder.snapshot.objects.contains_key(&owner.kind) {
        // Its kind is watched, so it is gone, and what it owned follows.
        return None;
    }
    Some(builder.add(Resource {
        id: ids::named(&owner.kind, &owned.namespace, &owner.name),
        kind: Cow::Borrowed(kinds::of_object(&owner.kind)),
        namespace: &owned.namespace,
        name: &owner.name,
        timestamp: at,
        subject: Subject::Named,
    }))
}
