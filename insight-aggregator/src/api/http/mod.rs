//! HTTP: the graph as JSON, DOT, Mermaid or a table, and what operators poll.

mod agents;
mod answer;
mod edge;
mod graph;
mod health;
mod history;
mod openapi;
mod params;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(super) use self::answer::{Failed, Failure};
pub(super) use self::health::healthz;
pub(super) use self::params::Params;
use super::cluster_insight::{self, Memory, help};
use super::feed::Feeds;
use super::prometheus::{self, EdgeSeries};
use super::reader::Reader;
use crate::ingest::agents::Agents;
use crate::ingest::committer::Committer;
use crate::ingest::stats::IngestStats;

/// A request that takes longer is given up: by then the reader's own time limit is usually over, and a scraper's always.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the handlers need.
#[derive(Clone)]
pub struct Http {
    /// Answers questions.
    pub reader: Reader,
    /// Live graphs.
    pub feeds: Feeds,
    /// Who is connected.
    pub agents: Agents,
    /// Makes batches durable.
    pub committer: Committer,
    /// What the ingest counts.
    pub ingest: Arc<IngestStats>,
    /// Edges as Prometheus sees them.
    pub edges: Arc<EdgeSeries>,
    /// What Cluster Insight's paths remember.
    pub cluster_insight: Arc<Memory>,
    /// Cancelled when the aggregator stops.
    pub stop: CancellationToken,
}

type Handlers = MethodRouter<Http>;

/// Every path with what answers it and what it is for.
fn routes() -> Vec<(&'static str, Handlers, &'static str)> {
    let mut routes = Vec::from(own_routes());
    routes.extend(cluster_insight::routes());
    routes
}

fn own_routes() -> [(&'static str, Handlers, &'static str); 10] {
    [
        ("/", cluster_insight::dressed(get(index)), help::PURPOSE),
        (
            "/v1/graph",
            get(graph::graph),
            "the dependency graph; ?at= or ?from=&to=, ?window=, ?tz=, ?level=, ?focus=&hops=&direction=, ?without=, ?namespaces=, ?selector=, ?kinds=, ?ports=, ?protocols=, ?min_bytes=, ?min_connections=, ?top=&top_by=, ?unconnected=, ?format=json|dot|mermaid|table",
        ),
        (
            "/v1/edges/{id}",
            get(edge::edge),
            "one edge with its two nodes, at the level that has it or ?level=; else as /v1/graph",
        ),
        (
            "/v1/edges/{id}/history",
            get(history::edge_history),
            "one edge over time, by ?step=1m|5m|1h; ?at= or ?from=&to=, ?window= (24h), ?tz=, ?level=",
        ),
        (
            "/v1/diff",
            get(graph::diff),
            "what differs between ?before= and ?after=, moments or ranges FROM..TO, by ?thresholds=; else as /v1/graph",
        ),
        ("/v1/agents", get(agents::agents), "connected agents"),
        (
            "/healthz",
            cluster_insight::dressed(get(healthz)),
            "200 while the process runs",
        ),
        (
            "/readyz",
            get(health::readyz),
            "200 while reports are made durable",
        ),
        ("/metrics", get(prometheus::scrape), "for Prometheus"),
        (
            "/openapi.json",
            get(openapi::openapi),
            "this API, described",
        ),
    ]
}

/// The whole HTTP API.
pub fn router(state: Http) -> Router {
    let mut router = Router::new();
    for (path, handlers, _) in routes() {
        router = router.route(path, handlers);
    }
    finish(router, state)
}

/// What every path has in common.
pub(super) fn finish(router: Router<Http>, state: Http) -> Router {
    router
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(limit_time))
        .with_state(state)
}

async fn index(headers: HeaderMap) -> Response {
    if help::is_for_people(&headers) {
        return Html(help::html()).into_response();
    }
    let paths: serde_json::Map<String, Value> = routes()
        .into_iter()
        .map(|(path, _, purpose)| (path.to_owned(), purpose.into()))
        .collect();
    Json(json!({
        "name": "insight-aggregator",
        "version": env!("CARGO_PKG_VERSION"),
        "paths": paths,
    }))
    .into_response()
}

async fn unknown_path(uri: Uri) -> Failure {
    Failure::not_found(
        format!("there is no {}", uri.path()),
        "GET / lists what is there",
    )
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    Failure::method_not_allowed(
        format!("{} does not answer {method}", uri.path()),
        "everything here is read with GET",
    )
}

async fn limit_time(request: Request, next: Next) -> Result<Response, Failure> {
    tokio::time::timeout(TIMEOUT, next.run(request))
        .await
        .map_err(|_| {
            Failure::timeout(
                format!("no answer within {} s", TIMEOUT.as_secs()),
                "ask for a shorter range or a coarser level, for example level=node",
            )
        })
}
