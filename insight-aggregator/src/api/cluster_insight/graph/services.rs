//! What stands behind Services.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::ids;
use super::super::kinds::RelationKind;
use super::build::Builder;
use super::{Relation, related};
use crate::kubernetes::object::{ApiKind, Body, EndpointSlice, Object};
use crate::model::UnixMs;

/// Pods behind a Service, by place: whether they get connections, and when that was seen.
type Behind = BTreeMap<usize, (bool, UnixMs)>;

pub(super) fn add(builder: &mut Builder<'_>) {
    let snapshot = builder.snapshot;
    let mut behind: BTreeMap<(&str, &str), Behind> = BTreeMap::new();
    for stored in snapshot.of_kind(&ApiKind::EndpointSlice) {
        let Body::EndpointSlice(slice) = &stored.object.body else {
            continue;
        };
        let pods = add_slice(builder, &stored.object, slice, stored.changed);
        if !slice.service.is_empty() {
            let service = (&*stored.object.meta.namespace, &*slice.service);
            let known = behind.entry(service).or_default();
            for (pod, (ready, at)) in pods {
                let entry = known.entry(pod).or_insert((ready, at));
                *entry = (entry.0 || ready, entry.1.max(at));
            }
        }
    }
    for stored in snapshot.of_kind(&ApiKind::Service) {
        let meta = &stored.object.meta;
        let Some(place) = builder.find(&ids::object(meta)) else {
            continue;
        };
        match behind.remove(&(&*meta.namespace, &*meta.name)) {
            Some(pods) => {
                for (pod, (ready, at)) in pods {
                    load_balances(builder, place, pod, ready, at);
                }
            }
            // Without slices, the selector says what would be behind it.
            None => {
                if let Body::Service(service) = &stored.object.body
                    && let Some(selector) = service.selector.as_ref().filter(|all| !all.is_empty())
                {
                    let pods: BTreeSet<usize> =
                        related::selected(builder, &meta.namespace, selector).collect();
                    for pod in pods {
                        builder.relate(place, RelationKind::LoadBalances, pod, 0);
                    }
                }
            }
        }
    }
}

/// Relates a slice to its pods.
fn add_slice(
    builder: &mut Builder<'_>,
    object: &Object,
    slice: &EndpointSlice,
    changed: UnixMs,
) -> Behind {
    let mut pods = Behind::new();
    let Some(place) = builder.find(&ids::object(&object.meta)) else {
        return pods;
    };
    for backend in &slice.backends {
        let Some(target) = backend.target.as_ref() else {
            continue;
        };
        let uid = Some(&*target.uid).filter(|uid| !uid.is_empty());
        let namespace = &object.meta.namespace;
        if let Some(pod) = builder.find_object(&target.kind, namespace, &target.name, uid) {
            let entry = pods.entry(pod).or_insert((backend.ready, changed));
            entry.0 |= backend.ready;
        }
    }
    for (&pod, &(ready, at)) in &pods {
        relate(builder, place, RelationKind::HasEndpoint, pod, ready, at);
    }
    pods
}

fn load_balances(builder: &mut Builder<'_>, service: usize, pod: usize, ready: bool, at: UnixMs) {
    relate(builder, service, RelationKind::LoadBalances, pod, ready, at);
}

/// Says of a pod that gets no connections that it does not.
fn relate(
    builder: &mut Builder<'_>,
    source: usize,
    kind: RelationKind,
    target: usize,
    ready: bool,
    at: UnixMs,
) {
    let timestamp = builder
        .resource(source)
        .timestamp
        .max(builder.resource(target).timestamp)
        .max(at);
    builder.push(Relation {
        source,
        target,
        kind,
        timestamp,
        changed: timestamp,
        metadata: (!ready).then(|| json!({ "ready": false })),
    });
}
