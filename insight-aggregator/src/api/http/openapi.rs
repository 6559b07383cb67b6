//! `/openapi.json`: the API described, for generators of clients.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::answer::Failure;
use super::params::Params;

/// OpenAPI 3.1. A test compares it with the routes and with real answers.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn openapi(params: Params) -> Result<impl IntoResponse, Failure> {
    params.only(&[])?;
    Ok(([(CONTENT_TYPE, "application/json")], DOCUMENT))
}
