//! What makes pods.

use serde_json::{Value, json};

use super::pairs;
use crate::kubernetes::object::{ApiKind, Workload};

pub(super) fn workload(kind: &ApiKind, workload: &Workload) -> (Value, Value) {
    // Each kind has its own names for how many pods there should be, and how many there are.
    let (wanted, ready) = match kind {
        ApiKind::Job => (Some("parallelism"), Some("ready")),
        ApiKind::DaemonSet => (None, Some("numberReady")),
        ApiKind::CronJob => (None, None),
        _ => (Some("replicas"), Some("readyReplicas")),
    };
    let (mut spec, mut status) = (json!({}), json!({}));
    if let Some(name) = wanted {
        spec[name] = workload.replicas.into();
    }
    if *kind == ApiKind::DaemonSet {
        status["desiredNumberScheduled"] = workload.replicas.into();
    }
    if let Some(name) = ready {
        status[name] = workload.ready.into();
    }
    if let Some(selector) = &workload.selector {
        spec["selector"] = match kind {
            ApiKind::ReplicationController => pairs(selector),
            _ => json!({ "matchLabels": pairs(selector) }),
        };
    }
    let images: Vec<Value> = workload
        .images
        .iter()
        .map(|image| json!({ "image": &**image }))
        .collect();
    let template = json!({ "spec": { "containers": images } });
    if *kind == ApiKind::CronJob {
        spec["jobTemplate"] = json!({ "spec": { "template": template } });
    } else {
        spec["template"] = template;
    }
    (spec, status)
}
