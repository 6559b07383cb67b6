//! What leads to other objects.

use serde_json::{Value, json};

use super::pairs;
use crate::kubernetes::object::{ApiKind, Related, Relation};

pub(super) fn spec(kind: &ApiKind, related: &Related) -> Value {
    let mut spec = json!({});
    let named = |relation| {
        let targets = related.targets.iter();
        targets.filter(move |target| target.relation == relation)
    };
    if let Some(volume) = named(Relation::BindsTo).next() {
        spec["volumeName"] = (*volume.name).into();
    }
    if let Some(scaled) = named(Relation::Scales).next() {
        spec["scaleTargetRef"] = json!({ "kind": scaled.kind.name(), "name": &*scaled.name });
    }
    // Hosts and paths are not kept.
    let backends: Vec<Value> = named(Relation::Routes)
        .map(|target| match kind {
            ApiKind::Ingress => json!({ "backend": { "service": { "name": &*target.name } } }),
            _ => json!({ "name": &*target.name, "namespace": &*target.namespace }),
        })
        .collect();
    if !backends.is_empty() {
        spec["rules"] = match kind {
            ApiKind::Ingress => json!([{ "http": { "paths": backends } }]),
            _ => json!([{ "backendRefs": backends }]),
        };
    }
    if let Some(selector) = &related.selector {
        let name = match kind {
            ApiKind::NetworkPolicy => "podSelector",
            _ => "selector",
        };
        spec[name] = json!({ "matchLabels": pairs(selector) });
    }
    spec
}
