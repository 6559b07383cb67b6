//! Pods and their containers.

use serde_json::{Value, json};

use super::super::time::seconds;
use super::put;
use crate::kubernetes::object::{Container, ContainerRole, Pod};

pub(super) fn pod(pod: &Pod) -> (Value, Value) {
    let of = |roles: &[ContainerRole], part: fn(&Container) -> Value| -> Vec<Value> {
        let all = pod.containers.iter();
        all.filter(|container| roles.contains(&container.role))
            .map(part)
            .collect()
    };
    let mut spec = json!({});
    put(&mut spec, "nodeName", &pod.node);
    if pod.host_network {
        spec["hostNetwork"] = true.into();
    }
    let mut status = json!({ "phase": pod.phase.as_str() });
    let ready = if pod.ready { "True" } else { "False" };
    status["conditions"] = json!([{ "type": "Ready", "status": ready }]);
    for (field, field_of_status, roles) in [
        (
            "containers",
            "containerStatuses",
            &[ContainerRole::Main][..],
        ),
        (
            "initContainers",
            "initContainerStatuses",
            &[ContainerRole::Init, ContainerRole::Sidecar],
        ),
        (
            "ephemeralContainers",
            "ephemeralContainerStatuses",
            &[ContainerRole::Ephemeral],
        ),
    ] {
        let containers = of(roles, named_spec);
        if !containers.is_empty() {
            spec[field] = containers.into();
            status[field_of_status] = of(roles, named_status).into();
        }
    }
    if !pod.claims.is_empty() {
        let volumes: Vec<Value> = pod
            .claims
            .iter()
            .map(|claim| json!({ "persistentVolumeClaim": { "claimName": &**claim } }))
            .collect();
        spec["volumes"] = volumes.into();
    }
    if let [first, ..] = &*pod.addresses {
        status["podIP"] = first.to_string().into();
        let all = pod.addresses.iter();
        let all: Vec<Value> = all.map(|ip| json!({ "ip": ip.to_string() })).collect();
        status["podIPs"] = all.into();
    }
    if let Some(started) = pod.started {
        status["startTime"] = seconds(started).into();
    }
    (spec, status)
}

/// A container as a resource of its own: its part of the pod's specification and of its status.
pub(super) fn container(container: &Container) -> Value {
    json!({
        "metadata": { "name": &*container.name },
        "spec": spec(container),
        "status": status(container),
    })
}

fn named_spec(container: &Container) -> Value {
    named(container, spec(container))
}

fn named_status(container: &Container) -> Value {
    named(container, status(container))
}

fn named(container: &Container, part: Value) -> Value {
    let mut json = json!({ "name": &*container.name });
    if let (Value::Object(json), Value::Object(part)) = (&mut json, part) {
        json.extend(part);
    }
    json
}

fn spec(container: &Container) -> Value {
    let mut json = json!({ "image": &*container.image });
    if container.role == ContainerRole::Sidecar {
        json["restartPolicy"] = "Always".into();
    }
    let ports: Vec<Value> = container
        .ports
        .iter()
        .map(|port| {
            let mut json = json!({
                "containerPort": port.port,
                "protocol": port.protocol.as_str().to_uppercase(),
            });
            put(&mut json, "name", &port.name);
            if port.host_port != 0 {
                json["hostPort"] = port.host_port.into();
            }
            json
        })
        .collect();
    if !ports.is_empty() {
        json["ports"] = ports.into();
    }
    json
}

fn status(container: &Container) -> Value {
    let mut json = json!({
        "image": &*container.image,
        "ready": container.ready,
        "restartCount": container.restarts,
    });
    put(&mut json, "imageID", &container.image_id);
    put(&mut json, "containerID", &container.id);
    if let Some(state) = state(&container.state) {
        json["state"] = state;
    }
    if !container.last_id.is_empty() {
        json["lastState"] = json!({ "terminated": { "containerID": &*container.last_id } });
    }
    json
}

/// `waiting: CrashLoopBackOff` as the API writes it.
fn state(text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    let (state, reason) = text.split_once(": ").unwrap_or((text, ""));
    let mut detail = json!({});
    put(&mut detail, "reason", reason);
    let mut json = json!({});
    json[state] = detail;
    Some(json)
}
