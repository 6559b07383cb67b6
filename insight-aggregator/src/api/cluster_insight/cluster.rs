//! `/cluster`, `/cluster/resources`, `/cluster/resources/{TYPE}` and `/debug`.

use std::collections::BTreeSet;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use insight_proto::{json, v1};
use serde_json::{Map, Value, json};

use super::super::http::{Failure, Http, Params};
use super::answer::{Answer, validated};
use super::elapsed::Timings;
use super::graph::{self, Graph};
use super::legacy::{self, Called};
use super::question::{Question, head};
use super::select::{Selection, select};
use super::snapshot::Snapshot;
use super::time::rfc3339;
use super::{dot, kinds, render};
use crate::kubernetes::Watch;
use crate::model::now_ms;

/// What of a graph an answer has.
#[derive(Clone, Debug)]
enum Form {
    Resources,
    Relations,
    /// The resources of this type.
    OfType(String),
    Dot,
}

pub(super) async fn cluster(
    State(http): State<Http>,
    uri: Uri,
    asked: HeaderMap,
    params: Params,
) -> Result<Response, Failure> {
    timed(http, uri, asked, params, Form::Relations).await
}

pub(super) async fn resources(
    State(http): State<Http>,
    uri: Uri,
    asked: HeaderMap,
    params: Params,
) -> Result<Response, Failure> {
    timed(http, uri, asked, params, Form::Resources).await
}

pub(super) async fn of_type(
    State(http): State<Http>,
    uri: Uri,
    asked: HeaderMap,
    kind: Result<Path<String>, PathRejection>,
    params: Params,
) -> Result<Response, Failure> {
    let Path(kind) = kind.map_err(|error| unknown_type(&error.body_text()))?;
    timed(http, uri, asked, params, Form::OfType(kind)).await
}

pub(super) async fn debug(
    State(http): State<Http>,
    uri: Uri,
    asked: HeaderMap,
    params: Params,
) -> Result<Response, Failure> {
    timed(http, uri, asked, params, Form::Dot).await
}

async fn timed(
    http: Http,
    uri: Uri,
    asked: HeaderMap,
    params: Params,
    form: Form,
) -> Result<Response, Failure> {
    let running = Timings::start(uri.to_string());
    let memory = http.cluster_insight.clone();
    let response = respond(http, asked, params, form).await;
    memory.timings.done(running);
    response
}

async fn respond(
    http: Http,
    asked: HeaderMap,
    params: Params,
    form: Form,
) -> Result<Response, Failure> {
    let question = Question::parse(params)?;
    let grain = question.needs_traffic().then_some(question.grain);
    let snapshot = Snapshot::take(&http, grain, question.times.as_ref()).await?;
    // A large cluster takes its time.
    let memory = http.cluster_insight.clone();
    let answer = http.reader.blocking(move |_| {
        let mut graph = graph::build(&snapshot);
        if question.times.is_none() {
            memory.history.date(&mut graph, snapshot.version, now_ms());
        }
        Ok(write(&snapshot, &graph, &question, &form, &asked))
    });
    answer.await?
}

fn write(
    snapshot: &Snapshot,
    graph: &Graph<'_>,
    question: &Question,
    form: &Form,
    asked: &HeaderMap,
) -> Result<Response, Failure> {
    let mut selection = select(graph, question)?;
    let called = called(graph, question);
    match form {
        Form::Dot => {
            let text = dot::dot(graph, &selection, &called);
            let changed = render::changed(graph, &selection).unwrap_or_else(now_ms);
            let kind = [(CONTENT_TYPE, "text/vnd.graphviz; charset=utf-8")];
            Ok(validated(asked, changed, &text, || {
                (kind, text.clone()).into_response()
            }))
        }
        Form::OfType(name) => {
            let present: BTreeSet<&str> = graph.resources.iter().map(|all| &*all.kind).collect();
            let kind = kinds::parse(name, present.into_iter()).ok_or_else(|| unknown_type(name))?;
            for (keep, resource) in selection.resources.iter_mut().zip(&graph.resources) {
                *keep &= *resource.kind == kind;
            }
            selection.relations.fill(false);
            let mut resources = String::new();
            // There the list of one type says its type once, in the path.
            render::resources(graph, &selection, &called, |mut resource| {
                if question.legacy_ids {
                    strip_type(&mut resource);
                }
                render::push(&mut resources, &resource);
            });
            let content = format!("\"resources\":[{resources}]");
            Ok(answer(snapshot, graph, &selection, content).respond(asked))
        }
        Form::Resources => {
            selection.relations.fill(false);
            let (resources, _) = lists(graph, &selection, &called);
            let content = format!("\"resources\":[{resources}]");
            Ok(answer(snapshot, graph, &selection, content).respond(asked))
        }
        Form::Relations => {
            let (resources, relations) = lists(graph, &selection, &called);
            let content = format!("\"resources\":[{resources}],\"relations\":[{relations}]");
            Ok(answer(snapshot, graph, &selection, content).respond(asked))
        }
    }
}

/// How the resources are called.
pub(super) fn called(graph: &Graph<'_>, question: &Question) -> Vec<Called> {
    if question.legacy_ids {
        legacy::short(graph)
    } else {
        legacy::full(graph)
    }
}

/// Resources and relations, each a JSON text, separated by commas.
fn lists(graph: &Graph<'_>, selection: &Selection, called: &[Called]) -> (String, String) {
    let (mut resources, mut relations) = (String::new(), String::new());
    render::resources(graph, selection, called, |resource| {
        render::push(&mut resources, &resource);
    });
    render::relations(graph, selection, called, |relation| {
        render::push(&mut relations, &relation);
    });
    (resources, relations)
}

fn answer(
    snapshot: &Snapshot,
    graph: &Graph<'_>,
    selection: &Selection,
    content: String,
) -> Answer {
    Answer {
        changed: render::changed(graph, selection),
        content,
        moment: moment(snapshot),
    }
}

/// What the answer does not know: kinds that are not heard of, traffic that nobody saw.
fn moment(snapshot: &Snapshot) -> Map<String, Value> {
    let mut moment = Map::new();
    let unknown: Vec<Value> = snapshot
        .unknown
        .iter()
        .map(|(kind, watch)| {
            let (state, why) = match watch {
                Watch::Forbidden { why } => ("forbidden", why.as_str()),
                Watch::Behind { why, .. } => ("behind", why.as_str()),
                _ => ("starting", ""),
            };
            json!({ "type": kinds::of_object(kind), "state": state, "why": why })
        })
        .collect();
    if !unknown.is_empty() {
        moment.insert("unknown".into(), unknown.into());
    }
    if let Some(at) = snapshot.known_at {
        moment.insert("objects_as_of".into(), rfc3339(at).into());
    }
    if let Some(traffic) = &snapshot.traffic {
        let head = v1::Graph {
            nodes: Vec::new(),
            edges: Vec::new(),
            gaps: traffic.gaps.clone(),
            level: traffic.level.clone(),
            ..*traffic
        };
        let mut head = json::graph(&head);
        if let Value::Object(fields) = &mut head {
            fields.retain(|name, _| !matches!(name.as_str(), "nodes" | "edges" | "level"));
        }
        moment.insert("traffic".into(), head);
    }
    moment
}

fn strip_type(resource: &mut Value) {
    let bare = resource["id"].as_str().and_then(|id| id.split_once(':'));
    if let Some((_, bare)) = bare {
        resource["id"] = bare.to_owned().into();
    }
}

fn unknown_type(name: &str) -> Failure {
    Failure::not_found(
        format!("there is no type {:?}", head(name)),
        "for example /cluster/resources/pods or /cluster/resources/Deployment; /cluster/resources has them all",
    )
}
