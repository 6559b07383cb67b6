//! The agent's own HTTP: `/metrics`, `/healthz`, `/readyz`, `/status`. Read-only; binds to loopback by default.

mod containers;
mod metrics;
mod page;

use std::net::SocketAddr;

use anyhow::Context;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::status::Status;

/// Listens on `address`. Done before anything else, so that a port in use ends the program at once.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address} for /metrics and /status; choose another with --listen ADDRESS:PORT or \
             INSIGHT_LISTEN"
        )
    })
}

/// Answers until `stop` is cancelled; requests under way are finished.
pub async fn serve(
    listener: TcpListener,
    status: Status,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    axum::serve(listener, router(status))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .context("the HTTP server ended")
}

/// The routes.
pub fn router(status: Status) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route(
            "/status",
            get(async |State(status): State<Status>| Json(status.snapshot())),
        )
        .fallback(not_found)
        .with_state(status)
}

async fn readyz(State(status): State<Status>) -> (StatusCode, String) {
    match status.snapshot().not_ready {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(status): State<Status>) -> impl IntoResponse {
    match page::encode(status.snapshot()) {
        Ok(text) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => {
            let message = format!("cannot write the metrics: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
    }
}

async fn not_found(uri: Uri) -> (StatusCode, String) {
    let text = format!(
        "no {}; there are /metrics, /healthz, /readyz and /status\n",
        uri.path()
    );
    (StatusCode::NOT_FOUND, text)
}

#[cfg(test)]
#[path = "http/tests.rs"]
mod tests;
