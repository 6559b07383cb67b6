//! `/cluster/watch`.

use tokio_stream::StreamExt as _;

use super::objects::{node, uid};
use super::*;
use crate::kubernetes::object::ApiKind;

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// The next event's name and data.
async fn next(events: &mut (impl tokio_stream::Stream<Item = String> + Unpin)) -> (String, Value) {
    loop {
        let text = tokio::time::timeout(SOON, events.next()).await;
        let text = text.expect("no event came").expect("the stream ended");
        // A comment keeps the connection alive.
        if let Some(rest) = text.strip_prefix("event: ") {
            let (name, data) = rest.split_once("\ndata: ").unwrap();
            return (name.to_owned(), serde_json::from_str(data.trim()).unwrap());
        }
    }
}

#[tokio::test]
async fn what_changes_is_told() {
    let world = World::of([node("n1")]);
    let request = Request::builder().uri("/cluster/watch?type=Node");
    let response = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().into_data_stream();
    let mut events = body.map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap());
    let (name, graph) = next(&mut events).await;
    assert_eq!((name.as_str(), ids(&graph)), ("graph", vec!["Node:n1"]));
    world.put(node("n2"), START + 1_000);
    let (name, delta) = next(&mut events).await;
    assert_eq!(name, "delta");
    assert_eq!(delta["resources"]["added"][0]["id"], "Node:n2");
    assert_eq!(delta["resources"]["removed"], serde_json::json!([]));
    let known = uid(&ApiKind::Node, "", "n1");
    let directory = world.http.reader.directory();
    directory.change(|index| index.gone(&ApiKind::Node, "", "n1", &known, START));
    let (_, delta) = next(&mut events).await;
    assert_eq!(
        delta["resources"]["removed"],
        serde_json::json!(["Node:n1"])
    );
    world.http.stop.cancel();
    let ended = tokio::time::timeout(SOON, events.next()).await;
    assert!(ended.expect("it does not end").is_none());
}
