//! Nodes that no list has: pods are bound to them, or agents report from them.

use std::borrow::Cow;

use super::super::ids;
use super::build::Builder;
use super::{Resource, Subject};
use crate::kubernetes::object::ApiKind;
use crate::model::UnixMs;

pub(super) fn add(builder: &mut Builder<'_>) {
    let oldest = builder
        .snapshot
        .of_kind(&ApiKind::Node)
        .map(|stored| stored.changed)
        .min();
    for (_, pod, changed) in builder.pods() {
        if !pod.node.is_empty() {
            find_or_add(builder, &pod.node, oldest.unwrap_or(changed));
        }
    }
    for agent in &builder.snapshot.agents {
        find_or_add(
            builder,
            &agent.node,
            oldest.unwrap_or(agent.connected_since),
        );
    }
}

/// The node of this name.
pub(super) fn find_or_add<'s>(builder: &mut Builder<'s>, name: &'s str, at: UnixMs) -> usize {
    let kind = ApiKind::Node.name();
    builder.add(Resource {
        id: ids::join(kind, "", name),
        kind: Cow::Borrowed(kind),
        namespace: "",
        name,
        timestamp: at,
        subject: Subject::Named,
    })
}
