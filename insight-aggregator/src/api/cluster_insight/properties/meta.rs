//! Metadata.

use serde_json::{Value, json};

use super::super::time::seconds;
use super::{pairs, put};
use crate::kubernetes::object::{ApiKind, Object, Owner};

/// The group and version of a kind; none where only the group is known.
pub(super) fn api_version(kind: &ApiKind) -> Option<String> {
    match (kind, kind.group()) {
        (ApiKind::Other(_), _) => None,
        (ApiKind::HorizontalPodAutoscaler, group) => Some(format!("{group}/v2")),
        (_, "") => Some("v1".to_owned()),
        (_, group) => Some(format!("{group}/v1")),
    }
}

pub(super) fn metadata(object: &Object) -> Value {
    let meta = &object.meta;
    let mut json = json!({ "name": &*meta.name });
    put(&mut json, "namespace", &meta.namespace);
    put(&mut json, "uid", &meta.uid);
    json["creationTimestamp"] = seconds(meta.created).into();
    if let Some(deleting) = meta.deleting {
        json["deletionTimestamp"] = seconds(deleting).into();
    }
    // Of these, names only.
    let is_named_only = matches!(meta.kind, ApiKind::Secret | ApiKind::ConfigMap);
    if !meta.labels.is_empty() && !is_named_only {
        json["labels"] = pairs(&meta.labels);
    }
    let owners: Vec<Value> = meta
        .controller
        .iter()
        .map(|owner| reference(owner, true))
        .chain(meta.owners.iter().map(|owner| reference(owner, false)))
        .collect();
    if !owners.is_empty() {
        json["ownerReferences"] = owners.into();
    }
    if let crate::kubernetes::object::Body::Workload(workload) = &object.body {
        json["generation"] = workload.generation.into();
    }
    json
}

fn reference(owner: &Owner, is_controller: bool) -> Value {
    let mut json = json!({});
    if let Some(version) = api_version(&owner.kind) {
        json["apiVersion"] = version.into();
    }
    json["kind"] = owner.kind.name().into();
    json["name"] = (*owner.name).into();
    json["uid"] = (*owner.uid).into();
    if is_controller {
        json["controller"] = true.into();
    }
    json
}
