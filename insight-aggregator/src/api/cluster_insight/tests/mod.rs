//! The router over an index that is filled by plain calls.

mod contract;
mod defects;
mod guestbook;
mod modern;
mod objects;
mod part;
mod standalone;
mod traffic;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use insight_proto::v1;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::super::feed::Feeds;
use super::super::http::{self, Http};
use super::super::prometheus::EdgeSeries;
use super::super::reader::Reader;
use crate::ingest::agents::Agents;
use crate::ingest::committer::Committer;
use crate::ingest::decode::decode;
use crate::kubernetes::Directory;
use crate::kubernetes::object::Object;
use crate::ledger::Ledger;
use crate::model::{UnixMs, now_ms};
use crate::store::Memory;

/// 2026-01-31T12:00:00Z, when objects are seen first.
const START: UnixMs = 1_769_860_800_000;

/// An aggregator without a network.
struct World {
    http: Http,
}

/// What a request got.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl World {
    fn new() -> Self {
        let retention = Duration::from_secs(86_400);
        let ledger = Ledger::open(Arc::new(Memory::new()), retention, now_ms()).unwrap();
        let ledger = Arc::new(ledger);
        let (ingest, stats) = (Arc::default(), Arc::default());
        let (stop, directory) = (CancellationToken::new(), Directory::default());
        let (committer, _thread) = Committer::start(ledger.clone(), Arc::clone(&ingest)).unwrap();
        let http = Http {
            reader: Reader::new(ledger.clone(), directory.clone(), Arc::clone(&stats)),
            feeds: Feeds::new(ledger, directory, stats, stop.clone(), TaskTracker::new()),
            agents: Agents::default(),
            committer,
            ingest,
            edges: Arc::new(EdgeSeries::default()),
            cluster_insight: Arc::default(),
            stop,
        };
        Self { http }
    }

    fn of(objects: impl IntoIterator<Item = Object>) -> Self {
        let world = Self::new();
        for object in objects {
            world.put(object, START);
        }
        world
    }

    fn put(&self, object: impl Into<Object>, at: UnixMs) {
        let object = object.into();
        self.http
            .reader
            .directory()
            .change(|index| index.put(object, at));
    }

    fn commit(&self, batch: &v1::Batch) {
        let report = decode(batch, 5_000).unwrap();
        self.http
            .reader
            .ledger()
            .commit(vec![report], now_ms())
            .unwrap();
    }

    async fn send(&self, request: Request<Body>) -> Response {
        let router = http::router(self.http.clone());
        router.oneshot(request).await.unwrap()
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        got(self.send(request.body(Body::empty()).unwrap()).await).await
    }

    async fn get(&self, path: &str) -> Value {
        let got = self.ask(path, &[]).await;
        assert_eq!(got.status, StatusCode::OK, "{path}: {}", got.body);
        got.json()
    }
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

async fn got(response: Response) -> Got {
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Got {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// The resource of this id.
fn resource<'v>(answer: &'v Value, id: &str) -> &'v Value {
    let all = answer["resources"].as_array().unwrap();
    let found = all.iter().find(|resource| resource["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {answer:#}"))
}

/// All ids, in the answer's order.
fn ids(answer: &Value) -> Vec<&str> {
    let all = answer["resources"].as_array().unwrap();
    all.iter().map(|one| one["id"].as_str().unwrap()).collect()
}

/// All relations of this type, as `source>target`.
fn related(answer: &Value, kind: &str) -> Vec<String> {
    let all = answer["relations"].as_array().unwrap();
    all.iter()
        .filter(|relation| relation["type"] == kind)
        .map(|relation| {
            let end = |name: &str| relation[name].as_str().unwrap().to_owned();
            format!("{}>{}", end("source"), end("target"))
        })
        .collect()
}
