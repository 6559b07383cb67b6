//! `/healthz` and `/readyz`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Http;
use super::answer::Failure;
use super::params::Params;

/// The process runs and answers. Cluster Insight's clients look for `health`, others for `status`.
pub(in crate::api) async fn healthz(params: Params) -> Result<Json<Value>, Failure> {
    params.only(&["legacy_status"])?;
    let now = jiff::Timestamp::now();
    Ok(Json(json!({
        "status": "ok",
        "success": true,
        "timestamp": format!("{now:.6}"),
        "health": "OK",
    })))
}

/// Reports are made durable and questions are answered.
pub(super) async fn readyz(
    State(http): State<Http>,
    params: Params,
) -> Result<Json<Value>, Failure> {
    params.only(&[])?;
    if http.stop.is_cancelled() {
        return Err(Failure::not_ready(
            "the aggregator is stopping",
            "ask the next one",
        ));
    }
    if !http.committer.is_alive() {
        return Err(Failure::not_ready(
            "the thread that makes reports durable has ended",
            "see the log for why, then restart the aggregator",
        ));
    }
    Ok(Json(json!({ "status": "ready" })))
}
