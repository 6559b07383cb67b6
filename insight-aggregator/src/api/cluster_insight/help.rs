//! `/` for people.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::Html;

/// What Cluster Insight's own page says of itself; its clients look for it.
pub(in crate::api) const PURPOSE: &str = "Returns this help message";

/// Whether a person's browser asks.
pub(in crate::api) fn is_for_people(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

pub(super) async fn page() -> Html<String> {
    Html(html())
}

/// The paths with what they are for.
pub(in crate::api) fn html() -> String {
    let more = [("/", PURPOSE), ("/healthz", "Whether it runs")];
    let routes = super::routes();
    let rows: String = more
        .into_iter()
        .chain(routes.iter().map(|(path, _, purpose)| (*path, *purpose)))
        .map(|(path, purpose)| {
            let purpose = purpose.trim_start_matches("Cluster Insight: ");
            let purpose = purpose.replace('&', "&amp;");
            format!("<dt><code>{path}</code></dt><dd>{purpose}</dd>\n")
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Cluster Insight</title></head>\n\
         <body><h1>Cluster Insight</h1>\n<p>The cluster as resources and relations, by insight-aggregator {}.</p>\n<dl>\n{rows}</dl></body></html>\n",
        env!("CARGO_PKG_VERSION")
    )
}
