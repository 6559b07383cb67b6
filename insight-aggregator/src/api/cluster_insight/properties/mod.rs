//! What is kept of a resource, in the shape that the Kubernetes API gives it. What Insight does not keep is not there: no environment, no commands, no
//! contents of ConfigMaps and Secrets.

mod meta;
mod network;
mod node;
mod pod;
mod related;
mod workload;

use insight_proto::v1;
use serde_json::{Map, Value, json};

use super::graph::{Resource, Subject};
use crate::kubernetes::object::{Body, Labels, Object};

/// The properties of a resource.
pub(super) fn of(resource: &Resource<'_>) -> Value {
    match resource.subject {
        Subject::Cluster | Subject::Named => json!({}),
        Subject::Object(object) => of_object(object),
        Subject::Container(_, container) => pod::container(container),
        Subject::Image(name) => json!({ "metadata": { "name": name } }),
        Subject::End(end) => of_end(end),
    }
}

fn of_object(object: &Object) -> Value {
    let mut json = Map::new();
    if let Some(version) = meta::api_version(&object.meta.kind) {
        json.insert("apiVersion".into(), version.into());
    }
    json.insert("kind".into(), object.meta.kind.name().into());
    json.insert("metadata".into(), meta::metadata(object));
    let (spec, status) = match &object.body {
        Body::Pod(pod) => pod::pod(pod),
        Body::Node(node) => node::node(node),
        Body::Service(service) => network::service(service),
        Body::Workload(workload) => workload::workload(&object.meta.kind, workload),
        Body::Related(related) => (related::spec(&object.meta.kind, related), Value::Null),
        Body::EndpointSlice(slice) => {
            // Not below `spec`: the API has it flat.
            json.extend(network::slice(slice));
            (Value::Null, Value::Null)
        }
        Body::Plain => (Value::Null, Value::Null),
    };
    for (name, part) in [("spec", spec), ("status", status)] {
        if !part.is_null() {
            json.insert(name.into(), part);
        }
    }
    Value::Object(json)
}

fn of_end(end: &v1::Node) -> Value {
    let mut labels: Vec<_> = end.labels.iter().collect();
    labels.sort_unstable();
    let labels: Map<String, Value> = labels
        .into_iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let mut metadata = json!({ "name": end.name });
    put(&mut metadata, "namespace", &end.namespace);
    let mut json = json!({ "metadata": metadata, "labels": labels });
    put(&mut json, "nodeName", &end.node);
    json
}

/// Sets what is not empty: the API leaves the rest out, too.
fn put(json: &mut Value, name: &str, text: &str) {
    if !text.is_empty() {
        json[name] = text.into();
    }
}

/// Labels as an object.
fn pairs(labels: &Labels) -> Value {
    let pairs: Map<String, Value> = labels
        .iter()
        .map(|(name, value)| (name.to_string(), (**value).into()))
        .collect();
    Value::Object(pairs)
}
