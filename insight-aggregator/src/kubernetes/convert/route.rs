//! Routes of the Gateway API, which is installed into a cluster and has no types in the client.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use serde_json::Value;

use super::meta::meta;
use crate::kubernetes::object::{ApiKind, Body, Object, Related, Relation, Target, Texts};

/// What is kept of an HTTPRoute: the Services that its rules lead to, in whichever namespace.
pub fn http_route(of: &DynamicObject, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::http_route(), &of.metadata, texts);
    let rules = of.data["spec"]["rules"].as_array().into_iter().flatten();
    let backends = rules.filter_map(|rule| rule["backendRefs"].as_array());
    let services: BTreeSet<(&str, &str)> = backends
        .flatten()
        .filter_map(|backend| {
            let text = |name: &str| backend.get(name).and_then(Value::as_str);
            let is_service = text("kind").is_none_or(|kind| kind == "Service")
                && text("group").is_none_or(str::is_empty);
            let namespace = text("namespace").unwrap_or(&meta.namespace);
            is_service.then_some((namespace, text("name")?))
        })
        .collect();
    let targets = services
        .into_iter()
        .map(|(namespace, name)| Target {
            relation: Relation::Routes,
            kind: ApiKind::Service,
            namespace: texts.intern(namespace),
            name: texts.intern(name),
        })
        .collect();
    Object {
        meta,
        body: Body::Related(Box::new(Related {
            targets,
            selector: None,
        })),
    }
}
