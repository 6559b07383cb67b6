//! The envelope that answers and errors come in.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::super::http::Failed;
use super::time::{http_date, rfc3339};
use crate::model::{UnixMs, now_ms};

/// An answer with what it is made of.
pub(super) struct Answer {
    /// When its content changed last; none: it has none.
    pub(super) changed: Option<UnixMs>,
    /// What the validator is made of: fields of JSON with their names. As text, because that of a large cluster is large.
    pub(super) content: String,
    /// What is true of this moment only.
    pub(super) moment: Map<String, Value>,
}

impl Answer {
    /// Writes it, or that it is what the client has already.
    pub(super) fn respond(self, asked: &HeaderMap) -> Response {
        let Self {
            changed,
            content,
            moment,
        } = self;
        let at = changed.unwrap_or_else(now_ms);
        validated(asked, at, &content, || {
            let mut head = Map::new();
            head.insert("success".into(), true.into());
            head.insert("timestamp".into(), rfc3339(at).into());
            head.extend(moment);
            let body = with_fields(&Value::Object(head), &content);
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        })
    }
}

/// An object with further fields, which are JSON already.
pub(super) fn with_fields(object: &Value, fields: &str) -> String {
    let mut text = object.to_string();
    // Its closing brace.
    text.pop();
    text.reserve(fields.len() + 2);
    text.push(',');
    text.push_str(fields);
    text.push('}');
    text
}

/// `respond`'s answer with its validator, made of `content`, or 304 if that is what was asked with.
pub(super) fn validated(
    asked: &HeaderMap,
    changed: UnixMs,
    content: &str,
    respond: impl FnOnce() -> Response,
) -> Response {
    let tag = format!("\"{:016x}\"", xxh3_64(content.as_bytes()));
    let is_known = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*");
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        respond()
    };
    for (name, value) in [(ETAG, tag), (LAST_MODIFIED, http_date(changed))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A short answer about this moment.
pub(super) fn now(name: &str, value: Value) -> Json<Value> {
    let mut body = json!({ "success": true, "timestamp": rfc3339(now_ms()) });
    body[name] = value;
    Json(body)
}

/// Adds what every answer of these paths has: leave for scripts of other sites to read it, and `success`, `timestamp` and `error_message` to errors. With
/// `?legacy_status=200` errors have that status.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let wants_legacy = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "legacy_status=200"));
    let mut response = next.run(request).await;
    if let Some(failed) = response.extensions_mut().remove::<Failed>() {
        let mut body = json!({
            "success": false,
            "timestamp": rfc3339(now_ms()),
            "error_message": failed.message(),
        });
        body["error"] = failed.error();
        *response.body_mut() = Body::from(body.to_string());
        response.headers_mut().remove("content-length");
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let status = response.status();
    if wants_legacy && (status.is_client_error() || status.is_server_error()) {
        *response.status_mut() = StatusCode::OK;
    }
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = HeaderValue::from_static("ETag, Last-Modified");
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    response
}

/// What a browser asks before it lets a script send `If-None-Match`.
pub(super) async fn preflight() -> Response {
    const READING: &str = "GET, HEAD, OPTIONS";
    let headers = [
        (ALLOW, READING),
        (ACCESS_CONTROL_ALLOW_METHODS, READING),
        (ACCESS_CONTROL_ALLOW_HEADERS, "If-None-Match"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
