//! `/v1/agents`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Http;
use super::answer::Failure;
use super::params::Params;
use crate::ingest::agents::Agent;
use crate::model::UnixMs;

pub(super) async fn agents(
    State(http): State<Http>,
    params: Params,
) -> Result<Json<Value>, Failure> {
    params.only(&[])?;
    let agents: Vec<Value> = http.agents.list().iter().map(describe).collect();
    Ok(Json(json!({ "agents": agents })))
}

fn describe(agent: &Agent) -> Value {
    json!({
        "node": agent.node,
        // As text: it is above 2^53, where JavaScript rounds.
        "epoch": agent.epoch.to_string(),
        "version": agent.version,
        "boot_id": agent.boot_id,
        "interval_ms": agent.interval_ms,
        "connected_since": time(agent.connected_since),
        "last_batch": agent.last_batch.map(time),
        "last_sequence": agent.last_sequence,
        "live_readout": agent.status.map(|status| status.live_readout),
        "dropped_updates": agent.status.map(|status| status.dropped_updates),
        "flow_map_used": agent.status.map(|status| status.flow_map_used),
        "flow_map_size": agent.status.map(|status| status.flow_map_size),
    })
}

/// RFC 3339; null for a moment that it cannot write.
fn time(at: UnixMs) -> Option<String> {
    jiff::Timestamp::from_millisecond(at)
        .ok()
        .map(|at| at.to_string())
}
