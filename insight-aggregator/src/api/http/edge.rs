//! `/v1/edges/{id}`: at the level that has it, unless one is named.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::Value;

use super::Http;
use super::answer::Failure;
use super::graph::parse;
use super::params::{Params, question, questions};
use crate::api::edge::{describe, searched};

/// The id in the path.
pub(super) fn id_of(path: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    path.map(|Path(id)| id).map_err(|error| {
        Failure::bad_request(
            format!("id: {}", error.body_text()),
            "an id is 16 hexadecimal digits, as in /v1/graph",
        )
    })
}

pub(super) async fn edge(
    State(http): State<Http>,
    id: Result<Path<String>, PathRejection>,
    params: Params,
) -> Result<Json<Value>, Failure> {
    let id = id_of(id)?;
    let mut values = params.only(&questions())?;
    let text = question(&mut values);
    let query = parse(&http.reader, &text)?;
    let is_named = text.get("level").is_some();
    let (levels, place) = if is_named {
        let level = query.part.level;
        (vec![level], format!(" at level {}", level.as_str()))
    } else {
        (searched(), String::new())
    };
    let found = http.reader.edge(query, levels, id.clone()).await?;
    let Some(graph) = found else {
        let id: String = id.chars().take(100).collect();
        return Err(Failure::not_found(
            format!("no edge {id:?}{place} in this time"),
            "ids are those of /v1/graph at the same time; each level has its own",
        ));
    };
    Ok(Json(describe(&graph)))
}
