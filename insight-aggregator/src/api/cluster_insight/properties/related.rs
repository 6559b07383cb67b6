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
    let backends: Vec<Value> = named(Relation::Routes)
        .map(|target| json!({ "backend": { "service": { "name": &*target.name } } }))
        .collect();
    if !backends.is_empty() {
        // Hosts and paths are not kept.
        spec["rules"] = json!([{ "http": { "paths": backends } }]);
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
