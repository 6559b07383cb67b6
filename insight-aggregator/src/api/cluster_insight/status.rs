//! `/version`, `/elapsed` and `/minions_status`.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::super::http::{Failure, Http, Params};
use super::answer::now;
use super::question::check_legacy_status;
use crate::kubernetes::object::{ApiKind, Body};

/// What these paths take.
const KNOWN: [&str; 1] = ["legacy_status"];

fn check(params: Params) -> Result<(), Failure> {
    check_legacy_status(params.only(&KNOWN)?.get("legacy_status"))
}

pub(super) async fn version(params: Params) -> Result<Json<Value>, Failure> {
    check(params)?;
    let version = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    Ok(now("version", version.into()))
}

pub(super) async fn elapsed(
    State(http): State<Http>,
    params: Params,
) -> Result<Json<Value>, Failure> {
    check(params)?;
    Ok(now("elapsed", http.cluster_insight.timings.json()))
}

/// A node is OK if Kubernetes does not say that it is not ready, and its agent is connected.
pub(super) async fn minions(
    State(http): State<Http>,
    params: Params,
) -> Result<Json<Value>, Failure> {
    check(params)?;
    let agents: BTreeSet<String> = http.agents.list().into_iter().map(|one| one.node).collect();
    let mut ready: BTreeMap<String, Option<bool>> =
        agents.iter().map(|node| (node.clone(), None)).collect();
    {
        let index = http.reader.directory().read();
        for stored in index.of_kind(&ApiKind::Pod) {
            if let Body::Pod(pod) = &stored.object.body
                && !pod.node.is_empty()
                && !ready.contains_key(&*pod.node)
            {
                ready.insert(pod.node.to_string(), None);
            }
        }
        for stored in index.of_kind(&ApiKind::Node) {
            if let Body::Node(node) = &stored.object.body {
                ready.insert(stored.object.meta.name.to_string(), Some(node.ready));
            }
        }
    }
    let (mut statuses, mut reasons) = (Map::new(), Map::new());
    for (node, ready) in ready {
        let has_agent = agents.contains(&node);
        let is_ok = ready != Some(false) && has_agent;
        let status = if is_ok { "OK" } else { "ERROR" };
        statuses.insert(node.clone(), status.into());
        reasons.insert(node, json!({ "ready": ready, "agent": has_agent }));
    }
    let Json(mut body) = now("minionsStatus", statuses.into());
    body["minions"] = reasons.into();
    Ok(Json(body))
}
