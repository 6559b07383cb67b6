//! `/cluster/watch`: the graph, then what changes, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use super::super::http::{Failure, Http, Params};
use super::cluster;
use super::differs::{Differs, Hashes, List};
use super::graph;
use super::question::Question;
use super::render;
use super::select::select;
use super::snapshot::Snapshot;
use crate::model::now_ms;

/// Watchers at the same time: each has a graph of its own made.
pub(super) const MAX_WATCHERS: usize = 16;
/// Between two looks at a cluster that changes all the time.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at one where only traffic may have changed: as often as agents report.
const LOOK: Duration = Duration::from_secs(5);

/// What a watcher has.
#[derive(Default)]
struct Seen {
    resources: Hashes,
    relations: Hashes,
}

pub(super) async fn watch(
    State(http): State<Http>,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let question = Question::parse_of_now(params)?;
    let watchers = http.cluster_insight.watchers.clone();
    let place = watchers.try_acquire_owned().map_err(|_| {
        Failure::not_ready(
            format!("{MAX_WATCHERS} watch already"),
            "poll /cluster with If-None-Match instead, or end another watch",
        )
    })?;
    let mut changes = http.reader.directory().changes();
    changes.mark_unchanged();
    let (mut seen, first) = look(&http, &question, Arc::default()).await?;
    let (events, stream) = mpsc::channel(1);
    tokio::spawn(async move {
        // Given back when the watcher is gone.
        let _place = place;
        let mut next = Some(event("graph", first.graph()));
        loop {
            if let Some(event) = next.take()
                && events.send(Ok(event)).await.is_err()
            {
                return;
            }
            tokio::select! {
                () = http.stop.cancelled() => return,
                () = events.closed() => return,
                () = pause(&mut changes) => {}
            }
            match look(&http, &question, Arc::clone(&seen)).await {
                Ok((now, differs)) => {
                    next = differs.delta().map(|delta| event("delta", delta));
                    seen = now;
                }
                Err(failure) => {
                    let error = json!({ "error": failure.error() });
                    let _ = events.send(Ok(event("error", error.to_string()))).await;
                    return;
                }
            }
        }
    });
    Ok(Sse::new(ReceiverStream::new(stream)).keep_alive(KeepAlive::default()))
}

/// Until it is worth another look.
async fn pause(changes: &mut tokio::sync::watch::Receiver<u64>) {
    tokio::time::sleep(PAUSE).await;
    // Whoever fills the index lives as long as the watcher's own handle to it.
    let _ = tokio::time::timeout(LOOK - PAUSE, changes.changed()).await;
}

/// What there is now, and how that differs from what was seen.
async fn look(
    http: &Http,
    question: &Question,
    seen: Arc<Seen>,
) -> Result<(Arc<Seen>, Differs), Failure> {
    let grain = question.needs_traffic().then_some(question.grain);
    let snapshot = Snapshot::take(http, grain, None).await?;
    let (memory, question) = (http.cluster_insight.clone(), question.clone());
    let looked = http.reader.blocking(move |_| {
        let mut graph = graph::build(&snapshot);
        memory.history.date(&mut graph, snapshot.version, now_ms());
        Ok(select(&graph, &question).map(|selection| {
            let called = cluster::called(&graph, &question);
            let mut resources = List::new(&seen.resources);
            render::resources(&graph, &selection, &called, |resource| {
                resources.take(resource["id"].to_string(), &resource);
            });
            let mut relations = List::new(&seen.relations);
            render::relations(&graph, &selection, &called, |relation| {
                relations.take(relation_key(&relation), &relation);
            });
            let now = Seen {
                resources: std::mem::take(&mut resources.now),
                relations: std::mem::take(&mut relations.now),
            };
            let resources = resources.differs(&now.resources);
            let relations = relations.differs(&now.relations);
            (
                Arc::new(now),
                Differs {
                    resources,
                    relations,
                },
            )
        }))
    });
    looked.await?
}

/// Two ends talk over several ports, and each is a relation.
fn relation_key(relation: &Value) -> String {
    let mut key = json!({});
    for name in ["source", "target", "type"] {
        key[name] = relation[name].clone();
    }
    let metadata = &relation["annotations"]["metadata"];
    for name in ["protocol", "port"] {
        if let Some(part) = metadata.get(name) {
            key[name] = part.clone();
        }
    }
    key.to_string()
}

fn event(name: &str, data: String) -> Event {
    Event::default().event(name).data(data)
}
