//! The router without a network.

mod answers;
mod described;
mod metrics;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::*;
use crate::api::stats::ApiStats;
use crate::ingest::decode::{self, decode};
use crate::kubernetes::Directory;
use crate::ledger::Ledger;
use crate::model::now_ms;
use crate::store::Memory;

/// An aggregator that has one batch: node n1's a.service is called by 192.0.2.7 at port 80.
fn state() -> Http {
    let retention = Duration::from_secs(86_400);
    let ledger = Ledger::open(Arc::new(Memory::new()), retention, now_ms()).unwrap();
    let ledger = Arc::new(ledger);
    let mut batch = decode::tests::batch();
    batch.to_unix_ms = now_ms();
    batch.from_unix_ms = batch.to_unix_ms - 5_000;
    ledger
        .commit(vec![decode(&batch, 5_000).unwrap()], now_ms())
        .unwrap();
    let (ingest, stats) = (Arc::default(), Arc::<ApiStats>::default());
    let stop = CancellationToken::new();
    let (committer, _thread) = Committer::start(ledger.clone(), Arc::clone(&ingest)).unwrap();
    let agents = Agents::default();
    Http {
        reader: Reader::new(ledger.clone(), Directory::default(), stats.clone()),
        feeds: Feeds::new(
            ledger,
            Directory::default(),
            stats,
            stop.clone(),
            TaskTracker::new(),
        ),
        agents,
        committer,
        ingest,
        edges: Arc::new(EdgeSeries::default()),
        cluster_insight: Arc::default(),
        stop,
    }
}

/// Status, content type and body of a request.
async fn ask(http: &Http, method: &str, path: &str) -> (StatusCode, String, String) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let response = router(http.clone()).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let kind = head.headers.get("content-type");
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (head.status, kind.unwrap_or_default(), body)
}

async fn get(http: &Http, path: &str) -> String {
    let (status, _, body) = ask(http, "GET", path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

async fn get_json(http: &Http, path: &str) -> Value {
    serde_json::from_str(&get(http, path).await).unwrap()
}
