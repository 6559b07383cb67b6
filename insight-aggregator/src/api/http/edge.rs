//! `/v1/edges/{id}`.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::Value;

use super::Http;
use super::answer::Failure;
use super::graph::parse;
use super::params::{Params, QUESTION, question};
use crate::api::edge::{describe, only_edge};

pub(super) async fn edge(
    State(http): State<Http>,
    id: Result<Path<String>, PathRejection>,
    params: Params,
) -> Result<Json<Value>, Failure> {
    let Path(id) = id.map_err(|error| {
        Failure::bad_request(
            format!("id: {}", error.body_text()),
            "an id is 16 hexadecimal digits, as in /v1/graph",
        )
    })?;
    let mut values = params.only(&QUESTION)?;
    let query = parse(&http.reader, &question(&mut values))?;
    let level = query.level.as_str();
    let graph = http.reader.graph(query).await?;
    let Some(graph) = only_edge(graph, &id) else {
        let id: String = id.chars().take(100).collect();
        return Err(Failure::not_found(
            format!("no edge {id:?} at level {level} in this time"),
            "ids are those of /v1/graph with the same parameters; each level has its own",
        ));
    };
    Ok(Json(describe(&graph)))
}
