//! What an interface shows of a resource beside its content: a label, and where there is more.

use serde_json::{Map, Value, json};

use super::graph::{Resource, Subject};
use super::legacy::Called;
use crate::kubernetes::object::{ApiKind, Body, ContainerRole, Meta};

/// The annotations of a resource.
pub(super) fn of(resource: &Resource<'_>, called: &Called) -> Value {
    let mut notes = Map::new();
    notes.insert("label".into(), resource.name.into());
    if let Some(alternate) = alternate_label(resource) {
        notes.insert("alternateLabel".into(), alternate.into());
    }
    if let Some(alias) = &called.alias {
        notes.insert("aliases".into(), json!([alias]));
    }
    if let Subject::Container(_, container) = resource.subject {
        let role = match container.role {
            ContainerRole::Main => None,
            ContainerRole::Init => Some("init"),
            ContainerRole::Sidecar => Some("sidecar"),
            ContainerRole::Ephemeral => Some("ephemeral"),
        };
        if let Some(role) = role {
            notes.insert("role".into(), role.into());
        }
    }
    if let Some(selector) = selector(resource) {
        notes.insert(
            "metrics".into(),
            json!({ "prometheus": { "selector": selector } }),
        );
    }
    if let Subject::Container(pod, container) = resource.subject {
        let Meta {
            namespace, name, ..
        } = &pod.meta;
        let container = &container.name;
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/log?container={container}");
        notes.insert("logs".into(), json!({ "kubernetes": path }));
    }
    if let Subject::Object(object) = resource.subject {
        notes.insert(
            "events".into(),
            json!({ "kubernetes": events(&object.meta) }),
        );
    }
    Value::Object(notes)
}

/// A program's name, of an end of connections that has one.
fn alternate_label<'r>(resource: &Resource<'r>) -> Option<&'r str> {
    match resource.subject {
        Subject::End(end) => end.labels.get("process").map(String::as_str),
        _ => None,
    }
}

/// The label that tells most: one that is no hexadecimal number, the alternate one first.
pub(super) fn best_label<'r>(resource: &Resource<'r>) -> &'r str {
    let is_word = |label: &&str| label.chars().any(|letter| !letter.is_ascii_hexdigit());
    let alternate = alternate_label(resource);
    let label = Some(resource.name).filter(|label| !label.is_empty());
    alternate
        .filter(is_word)
        .or(label.filter(is_word))
        .or(alternate)
        .or(label)
        .unwrap_or("<unknown>")
}

/// Which series are about it: those of containers have cAdvisor's labels, those of nodes the node's.
fn selector(resource: &Resource<'_>) -> Option<String> {
    let pairs: Vec<(&str, &str)> = match resource.subject {
        Subject::Container(pod, container) => vec![
            ("namespace", &pod.meta.namespace),
            ("pod", &pod.meta.name),
            ("container", &container.name),
        ],
        Subject::Object(object) if matches!(object.body, Body::Pod(_)) => {
            vec![("namespace", resource.namespace), ("pod", resource.name)]
        }
        _ if resource.kind == ApiKind::Node.name() => vec![("node", resource.name)],
        _ => return None,
    };
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(label, value)| {
            let value = value.replace('\\', r"\\").replace('"', "\\\"");
            format!("{label}=\"{value}\"")
        })
        .collect();
    Some(pairs.join(","))
}

/// Where the API server has the Events about an object.
fn events(meta: &Meta) -> String {
    let selector = format!("fieldSelector=involvedObject.uid%3D{}", meta.uid);
    if meta.namespace.is_empty() {
        format!("/api/v1/events?{selector}")
    } else {
        format!("/api/v1/namespaces/{}/events?{selector}", meta.namespace)
    }
}
