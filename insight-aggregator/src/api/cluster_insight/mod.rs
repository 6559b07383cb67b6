//! Cluster Insight's API: the cluster as typed resources and the relations between them, with what talks to what.
//!
//! [`snapshot`] takes what is known at one moment, [`graph`] makes resources and relations of it, [`select`] cuts down to what was asked for, and
//! [`render`] and [`dot`] write that. `insight-aggregator/CLUSTER-INSIGHT.md` has what clients see.

mod annotations;
mod answer;
mod cluster;
mod differs;
mod dot;
mod elapsed;
mod graph;
pub(super) mod help;
mod history;
mod ids;
mod kinds;
mod legacy;
mod properties;
mod question;
mod render;
mod select;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod time;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, get};
use tokio::sync::Semaphore;

use self::elapsed::Timings;
use self::history::History;
use super::http::{self, Http};

/// What these paths remember between requests.
pub struct Memory {
    history: History,
    timings: Timings,
    watchers: Arc<Semaphore>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            history: History::default(),
            timings: Timings::default(),
            watchers: Arc::new(Semaphore::new(watch::MAX_WATCHERS)),
        }
    }
}

/// Every path that is not also one of the aggregator's own, with what answers it and what it is for.
pub(super) fn routes() -> [(&'static str, MethodRouter<Http>, &'static str); 8] {
    [
        (
            "/cluster",
            dressed(get(cluster::cluster)),
            "Cluster Insight: all resources and relations; ?namespace=, ?type=, ?root=&depth=, ?grain=container|pod|workload|service, ?ids=legacy, ?at= or ?from=&to=, ?window=, ?tz=",
        ),
        (
            "/cluster/resources",
            dressed(get(cluster::resources)),
            "Cluster Insight: all resources",
        ),
        (
            "/cluster/resources/{type}",
            dressed(get(cluster::of_type)),
            "Cluster Insight: the resources of a type, for example nodes, pods, services, Deployment",
        ),
        (
            "/cluster/watch",
            dressed(get(watch::watch)),
            "Cluster Insight: /cluster, then what changes, as server-sent events",
        ),
        (
            "/debug",
            dressed(get(cluster::debug)),
            "Cluster Insight: /cluster for Graphviz",
        ),
        (
            "/version",
            dressed(get(status::version)),
            "Cluster Insight: which version answers",
        ),
        (
            "/elapsed",
            dressed(get(status::elapsed)),
            "Cluster Insight: how long the newest answers took",
        ),
        (
            "/minions_status",
            dressed(get(status::minions)),
            "Cluster Insight: whether each node is ready and has an agent",
        ),
    ]
}

/// These paths alone, with the help page at `/`.
pub fn router(state: Http) -> Router {
    let mut router = Router::new()
        .route("/", dressed(get(help::page)))
        .route("/healthz", dressed(get(http::healthz)));
    for (path, handlers, _) in routes() {
        router = router.route(path, handlers);
    }
    http::finish(router, state).layer(from_fn(answer::dress))
}

/// What all of these paths have in common: who may read them, and how they say what is wrong.
pub(super) fn dressed(handlers: MethodRouter<Http>) -> MethodRouter<Http> {
    handlers
        .options(answer::preflight)
        .layer(from_fn(answer::dress))
}
