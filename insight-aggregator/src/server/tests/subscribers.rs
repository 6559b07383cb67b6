use tokio::time::timeout;
use v1::graph_event::Event;

use super::*;
use crate::graph::apply;

async fn subscribe(server: &Server, token: &str) -> Streaming<v1::GraphEvent> {
    subscribe_to(server, None, token).await
}

async fn subscribe_to(
    server: &Server,
    query: Option<v1::GraphQuery>,
    token: &str,
) -> Streaming<v1::GraphEvent> {
    let request = v1::SubscribeRequest {
        query,
        resume_token: token.into(),
    };
    topology(server)
        .await
        .subscribe(request)
        .await
        .unwrap()
        .into_inner()
}

async fn next(events: &mut Streaming<v1::GraphEvent>) -> (Event, String) {
    let event = timeout(SOON, events.message()).await.expect("no event");
    let event = event.unwrap().expect("the stream ended");
    (event.event.unwrap(), event.resume_token)
}

/// Reads until `graph` shows what is expected; the last token.
async fn until(
    events: &mut Streaming<v1::GraphEvent>,
    graph: &mut v1::Graph,
    expected: &[(u32, u64)],
) -> String {
    let expected = expected.iter().copied().collect();
    loop {
        let (event, token) = next(events).await;
        match event {
            Event::Snapshot(snapshot) => *graph = snapshot,
            Event::Delta(delta) => apply(graph, &delta),
            Event::Lost(lost) => panic!("{lost:?}"),
        }
        if opened(graph) == expected {
            return token;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_then_what_changes() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    agent.report(80, 1).await;
    let mut events = subscribe(&server, "").await;
    let (Event::Snapshot(mut graph), _) = next(&mut events).await else {
        panic!("no snapshot first");
    };
    assert_eq!(opened(&graph), [(80, 1)].into());
    agent.report(80, 1).await;
    agent.report(443, 5).await;
    let token = until(&mut events, &mut graph, &[(80, 2), (443, 5)]).await;

    // A reader that comes back gets what it missed, from where it was.
    drop(events);
    agent.report(80, 1).await;
    let mut events = subscribe(&server, &token).await;
    let (Event::Delta(delta), _) = next(&mut events).await else {
        panic!("no delta after a resume");
    };
    apply(&mut graph, &delta);
    assert_eq!(opened(&graph), [(80, 3), (443, 5)].into());
    server.stop().await;
}

/// Parts of what [`Agent`] reports, and questions that nothing answers.
fn parts() -> Vec<v1::GraphQuery> {
    let text = str::to_owned;
    let questions: [fn(&mut v1::GraphQuery); 9] = [
        |query| query.ports = vec!["80-90".to_owned()],
        |query| query.kinds = vec!["unit".to_owned()],
        |query| query.protocols = vec!["udp".to_owned()],
        |query| query.min_connections = 4,
        |query| (query.top, query.top_by) = (Some(1), "connections".to_owned()),
        |query| query.top = Some(0),
        |query| (query.selector, query.unconnected) = ("app=web".to_owned(), true),
        |query| {
            query.focus = "web.service".to_owned();
            query.direction = "inbound".to_owned();
            query.top = Some(2);
            query.min_bytes = 1;
        },
        |query| {
            query.namespaces = vec!["shop".to_owned()];
            query.unconnected = true;
        },
    ];
    let asked = questions.into_iter().map(|ask| {
        let mut query = v1::GraphQuery {
            level: text("workload"),
            ..v1::GraphQuery::default()
        };
        ask(&mut query);
        query
    });
    asked.collect()
}

/// Nodes without their samples, which change on their own, and edges.
fn shown(mut graph: v1::Graph) -> (Vec<v1::Node>, Vec<v1::Edge>) {
    graph.nodes.iter_mut().for_each(|node| node.metrics = None);
    (graph.nodes, graph.edges)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_followed_is_the_part_that_is_read() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    agent.report(80, 1).await;
    let mut followed = Vec::new();
    for query in parts() {
        let mut events = subscribe_to(&server, Some(query.clone()), "").await;
        let (Event::Snapshot(graph), _) = next(&mut events).await else {
            panic!("no snapshot first");
        };
        followed.push((query, events, graph));
    }
    for (port, opened) in [(443, 5), (81, 2), (8080, 9), (80, 7)] {
        agent.report(port, opened).await;
    }
    let mut sizes = Vec::new();
    for (query, events, graph) in &mut followed {
        let read = v1::GetGraphRequest {
            query: Some(query.clone()),
        };
        let read = topology(&server).await.get_graph(read).await;
        let expected = shown(read.unwrap().into_inner());
        while shown(graph.clone()) != expected {
            match next(events).await.0 {
                Event::Snapshot(_) => panic!("a snapshot again"),
                Event::Delta(delta) => apply(graph, &delta),
                Event::Lost(lost) => panic!("{lost:?}"),
            }
        }
        sizes.push(graph.edges.len());
    }
    assert_eq!(sizes, [2, 4, 0, 3, 2, 1, 0, 3, 0]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_is_told_and_gets_a_snapshot() {
    let server = start().await;
    for token in ["nonsense", "1234-5"] {
        let mut events = subscribe(&server, token).await;
        let (Event::Lost(lost), resume) = next(&mut events).await else {
            panic!("not told");
        };
        assert_eq!((lost.reason.as_str(), lost.versions), ("unknown_token", 0));
        assert_eq!(resume, "");
        assert!(matches!(next(&mut events).await.0, Event::Snapshot(_)));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_has_no_past_and_no_nonsense() {
    let server = start().await;
    let at = Some(prost_types::Timestamp {
        seconds: 1_700_000_000,
        nanos: 0,
    });
    let window = Some(prost_types::Duration {
        seconds: 60,
        nanos: 0,
    });
    let none = v1::GraphQuery::default;
    let times = [
        (v1::GraphQuery { at, ..none() }, "at"),
        (v1::GraphQuery { from: at, ..none() }, "from"),
        (v1::GraphQuery { to: at, ..none() }, "to"),
        (v1::GraphQuery { window, ..none() }, "window"),
    ];
    for (query, field) in times.into_iter().chain(wrong_questions()) {
        let request = v1::SubscribeRequest {
            query: Some(query),
            resume_token: String::new(),
        };
        let asked = topology(&server).await.subscribe(request).await;
        assert_names(&asked.unwrap_err(), field);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_and_blocks_nobody() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    agent.report(1, 1).await;
    // A window of one frame, so that what the slow reader does not take stays with the aggregator.
    let endpoint = Channel::from_shared(format!("http://{}", server.grpc)).unwrap();
    let endpoint = endpoint
        .initial_stream_window_size(Some(65_535))
        .initial_connection_window_size(Some(65_535));
    let mut slow_client = TopologyServiceClient::new(endpoint.connect().await.unwrap());
    let slow = slow_client.subscribe(v1::SubscribeRequest::default()).await;
    let mut slow = slow.unwrap().into_inner();
    let (Event::Snapshot(_), _) = next(&mut slow).await else {
        panic!("no snapshot first");
    };
    let mut quick = subscribe(&server, "").await;
    let mut graph = v1::Graph::default();
    // Each round changes 400 edges, some 80 KB: the buffers of the connection are full after a few.
    let deadline = tokio::time::Instant::now() + SOON;
    let mut rounds = 0;
    while !lost_slowly(&server).await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "never told after {rounds} rounds"
        );
        rounds += 1;
        let batch = many(agent.batch(0, 1));
        agent.deliver(batch).await;
        let expected: Vec<(u32, u64)> = [(1, 1)]
            .into_iter()
            .chain((1_000..1_400).map(|port| (port, rounds)))
            .collect();
        until(&mut quick, &mut graph, &expected).await;
    }
    // It reads again: what was on the way, then the truth, then the whole graph.
    let lost = loop {
        if let (Event::Lost(lost), _) = next(&mut slow).await {
            break lost;
        }
    };
    assert_eq!(lost.reason, "slow_reader");
    assert!(lost.versions >= 1, "{lost:?}");
    let (Event::Snapshot(snapshot), _) = next(&mut slow).await else {
        panic!("no snapshot after the loss");
    };
    assert_eq!(opened(&snapshot), opened(&graph));
    server.stop().await;
}

/// The same connections to 400 ports.
fn many(mut batch: v1::Batch) -> v1::Batch {
    const PORTS: usize = 400;
    let flows = batch.flows.as_mut().unwrap();
    for column in [&mut flows.local, &mut flows.remote] {
        *column = vec![column[0]; PORTS];
    }
    for column in [&mut flows.protocol, &mut flows.role] {
        *column = vec![column[0]; PORTS];
    }
    flows.port = (1_000..1_400).collect();
    for column in [
        &mut flows.opened,
        &mut flows.closed,
        &mut flows.failed_refused,
        &mut flows.failed_timed_out,
        &mut flows.failed_unreachable,
        &mut flows.failed_other,
        &mut flows.active,
        &mut flows.bytes_sent,
        &mut flows.bytes_received,
        &mut flows.retransmits,
    ] {
        *column = vec![column[0]; PORTS];
    }
    batch
}

async fn lost_slowly(server: &Server) -> bool {
    let metrics = readers::get(server, "/metrics").await.1;
    metrics.contains("insight_aggregator_lost_notifications_total{reason=\"slow_reader\"} 1")
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_streams_and_says_why() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    let mut events = subscribe(&server, "").await;
    next(&mut events).await;
    let started = tokio::time::Instant::now();
    server.stop().await;
    assert!(started.elapsed() < STOP_WITHIN, "stopping was not orderly");
    assert_eq!(agent.answer().await.unwrap_err().code(), Code::Unavailable);
    let ended = loop {
        match events.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable);
}
