//! `/v1/graph` and `/v1/diff`.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use insight_proto::{json, v1};
use serde_json::Value;

use super::Http;
use super::answer::Failure;
use super::params::{Params, question, questions};
use crate::api::compare;
use crate::api::reader::{ReadError, Reader};
use crate::graph::{PARTS, Query, QueryError, QueryText, Thresholds, ZONE, question_when, render};
use crate::model::now_ms;

pub(super) async fn graph(State(http): State<Http>, params: Params) -> Result<Response, Failure> {
    let mut known = questions();
    known.push("format");
    let mut values = params.only(&known)?;
    let format = Format::parse(values.remove("format").as_deref())?;
    let query = parse(&http.reader, &question(&mut values))?;
    let graph = http.reader.graph(query).await?;
    // Writing a large graph takes as long as making it.
    let answer = http
        .reader
        .blocking(move |_| Ok(format.write(&graph)))
        .await?;
    Ok(answer)
}

pub(super) async fn diff(State(http): State<Http>, params: Params) -> Result<Json<Value>, Failure> {
    let known = ["before", "after", "window", ZONE, "thresholds"]
        .into_iter()
        .chain(PARTS);
    let known: Vec<&str> = known.collect();
    let mut values = params.only(&known)?;
    let (before, after) = (values.remove("before"), values.remove("after"));
    let thresholds = values.remove("thresholds").unwrap_or_default();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let Some(before) = given(before) else {
        return Err(Failure::bad_request(
            "parameter \"before\" is missing",
            "name the times to compare, for example before=-1h&after=now or before=-25h..-24h&after=-1h..now",
        ));
    };
    let (part, now) = (question(&mut values), now_ms());
    let question_at = |field, when: Option<&str>| {
        let asked = question_when(&part, field, when, now);
        asked
            .map(|(query, _)| query)
            .map_err(|error| refuse(&http.reader, error))
    };
    let before = question_at("before", Some(&before))?;
    let after = question_at("after", given(after).as_deref())?;
    let thresholds = Thresholds::parse(&thresholds).map_err(|error| refuse(&http.reader, error))?;
    let diff = compare::diff(&http.reader, before, after, thresholds).await?;
    let answer = http.reader.blocking(move |_| Ok(json::diff(&diff))).await?;
    Ok(Json(answer))
}

pub(super) fn parse(reader: &Reader, text: &QueryText) -> Result<Query, Failure> {
    text.parse(now_ms()).map_err(|error| refuse(reader, error))
}

pub(super) fn refuse(reader: &Reader, error: QueryError) -> Failure {
    reader.stats().bad_queries.one();
    ReadError::from(error).into()
}

#[derive(Clone, Copy)]
enum Format {
    Json,
    Dot,
    Mermaid,
    Table,
}

impl Format {
    fn parse(name: Option<&str>) -> Result<Self, Failure> {
        match name {
            None | Some("" | "json") => Ok(Self::Json),
            Some("dot") => Ok(Self::Dot),
            Some("mermaid") => Ok(Self::Mermaid),
            Some("table") => Ok(Self::Table),
            Some(other) => {
                let other: String = other.chars().take(100).collect();
                Err(Failure::bad_request(
                    format!("format: {other:?} is not known"),
                    "it is json, dot, mermaid or table, for example format=dot",
                ))
            }
        }
    }

    fn write(self, graph: &v1::Graph) -> Response {
        let text =
            |kind: &'static str, body: String| ([(CONTENT_TYPE, kind)], body).into_response();
        match self {
            Self::Json => Json(json::graph(graph)).into_response(),
            Self::Dot => text("text/vnd.graphviz; charset=utf-8", render::dot(graph)),
            Self::Mermaid => text("text/plain; charset=utf-8", render::mermaid(graph)),
            Self::Table => text("text/plain; charset=utf-8", render::table(graph, None)),
        }
    }
}
