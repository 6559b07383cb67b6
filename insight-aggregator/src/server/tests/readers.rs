use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Response;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::*;

/// Status and body of a GET.
pub(super) async fn get(server: &Server, path: &str) -> (u16, String) {
    get_from(server.http, path).await
}

async fn get_from(address: SocketAddr, path: &str) -> (u16, String) {
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nhost: test\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_and_http_give_the_same_graph() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    agent.report(80, 3).await;
    let mut by_grpc = insight_proto::json::graph(&graph(&server).await);
    let (status, body) = get(&server, "/v1/graph").await;
    assert_eq!(status, 200);
    let mut by_http: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(by_http["edges"][0]["server_view"]["connections_opened"], 3);
    assert_eq!(
        by_http["edges"][0]["server_view"]["bytes_sent"], 10,
        "client to server"
    );
    for graph in [&mut by_grpc, &mut by_http] {
        graph["to"].take();
        graph["gaps"].take();
    }
    assert_eq!(by_grpc, by_http);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_moments_are_compared() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    agent.report(80, 3).await;
    let an_hour_ago = prost_types::Timestamp {
        seconds: now_ms() / 1_000 - 3_600,
        nanos: 0,
    };
    let request = v1::DiffRequest {
        before: Some(v1::GraphQuery {
            at: Some(an_hour_ago),
            ..v1::GraphQuery::default()
        }),
        after: None,
        thresholds: Vec::new(),
    };
    let diff = topology(&server)
        .await
        .diff(request)
        .await
        .unwrap()
        .into_inner();
    // Nobody looked an hour ago.
    assert_eq!((diff.added_edges.len(), diff.removed_edges.len()), (0, 0));
    assert_eq!(diff.perhaps_added_edges[0].port, 80);
    assert_eq!(diff.before.unwrap().gaps[0].reason, "no_agent");
    assert_eq!(diff.nodes.len(), 2);
    let request = v1::DiffRequest {
        thresholds: vec![v1::Threshold {
            counter: "packets".into(),
            ..v1::Threshold::default()
        }],
        ..v1::DiffRequest::default()
    };
    let refused = topology(&server).await.diff(request).await.unwrap_err();
    assert_names(&refused, "thresholds");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_is_told_over_time() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    agent.report(80, 3).await;
    agent.report(80, 4).await;
    let edge = graph(&server).await.edges.remove(0);
    let ask = async |request: v1::EdgeHistoryRequest| {
        let answer = topology(&server).await.get_edge_history(request).await;
        answer.map(Response::into_inner)
    };
    let history = ask(v1::EdgeHistoryRequest {
        id: edge.id.clone(),
        ..v1::EdgeHistoryRequest::default()
    })
    .await
    .unwrap();
    assert_eq!(
        (history.server.unwrap().id, history.port),
        (edge.server, 80)
    );
    let views = history.points.iter().filter_map(|point| point.server_view);
    let opened: u64 = views.map(|view| view.connections_opened).sum();
    assert_eq!(opened, edge.server_view.unwrap().connections_opened);
    assert_eq!(
        (history.first_seen, history.last_seen),
        (edge.first_seen, edge.last_seen)
    );
    let nobody = ask(v1::EdgeHistoryRequest::default()).await.unwrap_err();
    assert_eq!(nobody.code(), Code::NotFound);
    let query = v1::GraphQuery {
        ports: vec!["80".into()],
        ..v1::GraphQuery::default()
    };
    let step = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    for (query, step, field) in [
        (Some(query), None, "query"),
        (None, step(0), "step"),
        (None, step(i64::MAX), "step"),
        (None, step(61), "step"),
    ] {
        let id = edge.id.clone();
        let refused = ask(v1::EdgeHistoryRequest { id, query, step }).await;
        assert_names(&refused.unwrap_err(), field);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_question_names_the_field() {
    let server = start().await;
    let focus = |focus: String| {
        let query = v1::GraphQuery {
            focus,
            ..v1::GraphQuery::default()
        };
        (query, "focus")
    };
    let at = |seconds, nanos| v1::GraphQuery {
        at: Some(prost_types::Timestamp { seconds, nanos }),
        ..v1::GraphQuery::default()
    };
    let mut questions = wrong_questions();
    // The year 0, the far future, and what no clock shows.
    for (seconds, nanos) in [
        (-62_167_219_200, 0),
        (32_503_680_000, 0),
        (i64::MIN, 0),
        (i64::MAX, 0),
        (1, -1),
        (1, 1_000_000_000),
    ] {
        questions.push((at(seconds, nanos), "at"));
    }
    let (from, to) = (at(7_200, 0).at, at(3_600, 0).at);
    let range = v1::GraphQuery {
        from,
        to,
        ..v1::GraphQuery::default()
    };
    questions.push((range, "from"));
    questions.push(focus("nobody".into()));
    questions.push(focus("é\n".repeat(50_000)));
    for (query, field) in questions {
        let request = v1::GetGraphRequest { query: Some(query) };
        let asked = topology(&server).await.get_graph(request).await;
        assert_names(&asked.unwrap_err(), field);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_are_served() {
    let server = start().await;
    let mut health = HealthClient::new(channel(&server).await);
    for service in ["", "insight.v1.AgentService", "insight.v1.TopologyService"] {
        let service = service.to_owned();
        let answer = health.check(HealthCheckRequest { service }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }
    let mut reflection = ServerReflectionClient::new(channel(&server).await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await;
    let answer = answers
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let names: Vec<&str> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    for name in [
        "insight.v1.AgentService",
        "insight.v1.TopologyService",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_insight_is_served_at_both_addresses_and_alone_at_one() {
    let server = start().await;
    let alone = server.cluster_insight.unwrap();
    for address in [server.http, alone] {
        let (status, body) = get_from(address, "/cluster/resources").await;
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("\"success\":true"), "{body}");
    }
    assert_eq!(get_from(alone, "/v1/graph").await.0, 404);
    server.stop().await;
    assert!(tokio::net::TcpStream::connect(alone).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let server = start().await;
    let ledger = Ledger::open(Arc::new(Memory::new()), SOON, now_ms()).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let error = Server::start(
        Arc::new(ledger),
        any,
        server.http,
        None,
        v1::AgentConfig::default(),
        Directory::default(),
    )
    .await
    .err()
    .unwrap();
    let taken = error.downcast_ref::<PortTaken>().unwrap();
    assert_eq!((taken.flag, taken.address), ("http", server.http));
    server.stop().await;
}
