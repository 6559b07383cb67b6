//! Without Kubernetes there is what agents report.

use super::*;
use crate::ingest::decode;

#[tokio::test]
async fn nodes_units_and_peers_come_from_agents() {
    let world = World::new();
    let mut batch = decode::tests::batch();
    batch.to_unix_ms = now_ms();
    batch.from_unix_ms = batch.to_unix_ms - 5_000;
    world.commit(&batch);
    let hello = v1::Hello {
        node: "n2".into(),
        ..v1::Hello::default()
    };
    let _place = world.http.agents.enter(&hello).unwrap();
    let answer = world.get("/cluster").await;
    let expected = [
        "Cluster:_unknown_",
        // What a.service dialed, and nobody that is watched answers there.
        "External:10.96.0.1",
        "External:192.0.2.7",
        "Node:n1",
        "Node:n2",
        "Unit:n1/a.service",
    ];
    assert_eq!(ids(&answer), expected);
    let expected = [
        "Cluster:_unknown_>Node:n1",
        "Cluster:_unknown_>Node:n2",
        "Node:n1>Unit:n1/a.service",
    ];
    assert_eq!(related(&answer, "contains"), expected);
    let expected = [
        "External:192.0.2.7>Unit:n1/a.service",
        "Unit:n1/a.service>External:10.96.0.1",
    ];
    assert_eq!(related(&answer, "communicatesWith"), expected);
}
