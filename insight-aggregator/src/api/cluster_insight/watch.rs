//! `/cluster/watch`: the graph, then what changes, as server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use super::super::http::{Failure, Http, Params};
use super::cluster;
use super::graph;
use super::question::Question;
use super::select::select;
use super::snapshot::Snapshot;
use super::time::rfc3339;
use crate::model::now_ms;

/// Watchers at the same time: each has a graph of its own made.
pub(super) const MAX_WATCHERS: usize = 16;
/// Between two looks at a cluster that changes all the time.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at one where only traffic may have changed: as often as agents report.
const LOOK: Duration = Duration::from_secs(5);

/// Resources or relations by what tells them apart.
type Items = BTreeMap<String, Value>;

/// What a watcher has.
struct Seen {
    resources: Items,
    relations: Items,
}

pub(super) async fn watch(
    State(http): State<Http>,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let question = Question::parse(params)?;
    let watchers = http.cluster_insight.watchers.clone();
    let place = watchers.try_acquire_owned().map_err(|_| {
        Failure::not_ready(
            format!("{MAX_WATCHERS} watch already"),
            "poll /cluster with If-None-Match instead, or end another watch",
        )
    })?;
    let mut changes = http.reader.directory().changes();
    changes.mark_unchanged();
    let mut seen = look(&http, &question).await?;
    let (events, stream) = mpsc::channel(1);
    tokio::spawn(async move {
        // Given back when the watcher is gone.
        let _place = place;
        let first = json!({
            "timestamp": rfc3339(now_ms()),
            "resources": values(&seen.resources),
            "relations": values(&seen.relations),
        });
        let mut next = Some(event("graph", &first));
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
            match look(&http, &question).await {
                Ok(now) => {
                    next = delta(&seen, &now).map(|delta| event("delta", &delta));
                    seen = now;
                }
                Err(failure) => {
                    let error = json!({ "error": failure.error() });
                    let _ = events.send(Ok(event("error", &error))).await;
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

async fn look(http: &Http, question: &Question) -> Result<Seen, Failure> {
    let grain = question.needs_traffic().then_some(question.grain);
    let snapshot = Snapshot::take(http, grain).await?;
    let (memory, question) = (http.cluster_insight.clone(), question.clone());
    let seen = http.reader.blocking(move |_| {
        let mut graph = graph::build(&snapshot);
        memory.history.date(&mut graph, snapshot.version, now_ms());
        let selected = select(&graph, &question);
        Ok(selected.map(|selection| {
            let called = cluster::called(&graph, &question);
            let mut whole = cluster::whole(&graph, &selection, &called);
            Seen {
                resources: keyed(whole.remove("resources"), |resource| {
                    text(&resource["id"]).to_owned()
                }),
                relations: keyed(whole.remove("relations"), relation_key),
            }
        }))
    });
    seen.await?
}

fn keyed(items: Option<Value>, key: impl Fn(&Value) -> String) -> Items {
    match items {
        Some(Value::Array(items)) => items.into_iter().map(|item| (key(&item), item)).collect(),
        _ => Items::new(),
    }
}

/// Two ends talk over several ports, and each is a relation.
fn relation_key(relation: &Value) -> String {
    let metadata = &relation["annotations"]["metadata"];
    let parts = [&relation["source"], &relation["target"], &relation["type"]];
    let parts = parts
        .into_iter()
        .chain([&metadata["protocol"], &metadata["port"]]);
    let parts: Vec<String> = parts.map(ToString::to_string).collect();
    parts.join(" ")
}

/// What differs; none: nothing.
fn delta(before: &Seen, after: &Seen) -> Option<Value> {
    let mut delta = Map::new();
    for (name, before, after) in [
        ("resources", &before.resources, &after.resources),
        ("relations", &before.relations, &after.relations),
    ] {
        let pick = |items: &Items, fits: &dyn Fn(&String, &Value) -> bool| -> Vec<Value> {
            let fitting = items.iter().filter(|(key, item)| fits(key, item));
            fitting.map(|(_, item)| item.clone()).collect()
        };
        let added = pick(after, &|key, _| !before.contains_key(key));
        let changed = pick(after, &|key, item| {
            before.get(key).is_some_and(|known| known != item)
        });
        let removed = pick(before, &|key, _| !after.contains_key(key));
        if !(added.is_empty() && changed.is_empty() && removed.is_empty()) {
            let parts = json!({ "added": added, "changed": changed, "removed": removed });
            delta.insert(name.to_owned(), parts);
        }
    }
    if delta.is_empty() {
        return None;
    }
    let mut json = json!({ "timestamp": rfc3339(now_ms()) });
    for (name, parts) in delta {
        json[name] = parts;
    }
    Some(json)
}

fn values(items: &Items) -> Vec<&Value> {
    items.values().collect()
}

fn event(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
