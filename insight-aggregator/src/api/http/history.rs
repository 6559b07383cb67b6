//! `/v1/edges/{id}/history`.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use insight_proto::json;
use serde_json::Value;

use super::Http;
use super::answer::Failure;
use super::edge::id_of;
use super::graph::refuse;
use super::params::{Params, question};
use crate::api::history::history;
use crate::graph::{Steps, TIMES, ZONE, history_request};
use crate::model::now_ms;

pub(super) async fn edge_history(
    State(http): State<Http>,
    id: Result<Path<String>, PathRejection>,
    params: Params,
) -> Result<Json<Value>, Failure> {
    let id = id_of(id)?;
    let known = TIMES.into_iter().chain([ZONE, "level", "step"]);
    let mut values = params.only(&known.collect::<Vec<_>>())?;
    let (step, now) = (values.remove("step"), now_ms());
    let asked = history_request(id.clone(), &question(&mut values), step.as_deref(), now);
    let steps = asked.and_then(|asked| Steps::parse(&asked, now));
    let steps = steps.map_err(|error| refuse(&http.reader, error))?;
    let Some(found) = history(&http.reader, steps, id.clone()).await? else {
        let id: String = id.chars().take(100).collect();
        return Err(Failure::not_found(
            format!("no edge {id:?} in this time"),
            "ids are those of /v1/graph at the same time; each level has its own",
        ));
    };
    Ok(Json(json::history(&found)))
}
