//! How HTTP says that something went wrong: `{"error":{"code","message","hint"}}`.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::api::reader::ReadError;

/// What went wrong and what to do.
#[derive(Debug)]
pub(in crate::api) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: String,
}

impl Failure {
    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(in crate::api) fn bad_request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_argument", message, hint)
    }

    pub(in crate::api) fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message, hint)
    }

    pub(in crate::api) fn method_not_allowed(
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
            hint,
        )
    }

    pub(in crate::api) fn not_ready(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message, hint)
    }

    pub(in crate::api) fn timeout(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message, hint)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Query(error) => {
                Self::bad_request(format!("{}: {}", error.field, error.message), error.hint)
            }
            ReadError::Failed(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                error.to_string(),
                "the aggregator's log has more; try again, or ask for a shorter range",
            ),
        }
    }
}

impl Failure {
    /// `{"code","message","hint"}`.
    pub(in crate::api) fn error(&self) -> Value {
        json!({"code": self.code, "message": self.message, "hint": self.hint})
    }

    /// What went wrong.
    pub(in crate::api) fn message(&self) -> &str {
        &self.message
    }
}

/// Comes with the response to a request that failed, for whoever writes it in another form.
pub(in crate::api) type Failed = Arc<Failure>;

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error() });
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(Failed::new(self));
        response
    }
}
