//! Nodes without any edge.

use std::collections::HashSet;

use super::ends::{End, Ends};
use super::filter::is_asked_for;
use super::join::Joined;
use crate::graph::Filter;
use crate::kubernetes::object::{ApiKind, Phase, Pod};
use crate::model::{Level, Window};

/// Kinds that stand for pods. A Job that a CronJob makes, or a Deployment's ReplicaSet, has a controller.
const WORKLOADS: [ApiKind; 7] = [
    ApiKind::Deployment,
    ApiKind::StatefulSet,
    ApiKind::DaemonSet,
    ApiKind::ReplicaSet,
    ApiKind::ReplicationController,
    ApiKind::CronJob,
    ApiKind::Job,
];

/// The nodes that `filter` asks for and that no edge of `joined` has, which are all edges.
pub(super) fn unconnected<'w>(
    window: &'w Window,
    ends: &mut Ends<'w>,
    joined: &Joined,
    filter: &Filter,
) -> Vec<End> {
    let flows = joined.keys();
    let connected: HashSet<End> = flows.flat_map(|flow| [flow.client, flow.server]).collect();
    let mut alone = known(window, ends);
    alone.retain(|end| !connected.contains(end) && is_asked_for(ends, *end, filter));
    alone
}

/// Whoever is known to have been there, with connections or without; it does not matter if somebody is there twice.
fn known<'w>(window: &'w Window, ends: &mut Ends<'w>) -> Vec<End> {
    let entities = window.entities.keys();
    let mut all: Vec<End> = entities.map(|id| ends.entity(id)).collect();
    let index = ends.index();
    let there = |kind: &'static ApiKind| {
        let objects = index.of_kind(kind).map(|stored| &stored.object);
        objects.filter(|object| object.meta.created <= window.to)
    };
    match ends.level() {
        Level::Namespace => {
            let names = there(&ApiKind::Namespace).map(|object| &object.meta.name);
            all.extend(names.map(|name| ends.namespace(name)));
        }
        Level::Node | Level::Zone => {
            let names = there(&ApiKind::Node).map(|object| &object.meta.name);
            all.extend(names.map(|name| ends.host(name)));
        }
        Level::Container | Level::Pod | Level::Workload | Level::Service => {
            let is_over = |pod: &Pod| matches!(pod.phase, Phase::Succeeded | Phase::Failed);
            let pods =
                there(&ApiKind::Pod).filter(|object| object.pod().is_some_and(|pod| !is_over(pod)));
            all.extend(pods.map(|object| ends.pod(&object.meta.uid)));
            if ends.level() == Level::Workload {
                // Also those that have no pod.
                let workloads = WORKLOADS.iter().flat_map(there);
                let made_by_nobody = workloads.filter(|object| object.meta.controller.is_none());
                all.extend(made_by_nobody.map(|object| ends.workload(&object.meta)));
            }
        }
    }
    all
}
