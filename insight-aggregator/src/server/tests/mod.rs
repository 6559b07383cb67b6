//! The whole aggregator over real TCP ports, with a store in memory.

mod agents;
mod readers;
#[path = "../../../tests/report/mod.rs"]
mod report;
mod subscribers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use insight_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding::Zstd;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use v1::agent_service_client::AgentServiceClient;
use v1::report_request::Message;
use v1::report_response::Message as Answer;
use v1::topology_service_client::TopologyServiceClient;

use self::report::hello;
use super::*;
use crate::api::grpc::wrong_question;
use crate::kubernetes::Directory;
use crate::model::now_ms;
use crate::store::Memory;

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

async fn start() -> Server {
    let retention = Duration::from_secs(86_400);
    let ledger = Ledger::open(Arc::new(Memory::new()), retention, now_ms()).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    Server::start(
        Arc::new(ledger),
        any,
        any,
        Some(any),
        v1::AgentConfig::default(),
        Directory::default(),
    )
    .await
    .unwrap()
}

async fn channel(server: &Server) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{}", server.grpc)).unwrap();
    endpoint.connect().await.unwrap()
}

async fn topology(server: &Server) -> TopologyServiceClient<Channel> {
    TopologyServiceClient::new(channel(server).await).accept_compressed(Zstd)
}

/// An agent of node `node` with one service that 10.0.0.9 calls at port 80.
struct Agent {
    hello: v1::Hello,
    sequence: u64,
    requests: mpsc::Sender<v1::ReportRequest>,
    answers: Streaming<v1::ReportResponse>,
}

impl Agent {
    /// A stream that has sent these messages.
    async fn open(server: &Server, hello: v1::Hello, messages: Vec<Message>) -> Self {
        let mut client = AgentServiceClient::new(channel(server).await)
            .send_compressed(Zstd)
            .accept_compressed(Zstd);
        let (requests, stream) = mpsc::channel(16);
        let answers = client.report(ReceiverStream::new(stream)).await.unwrap();
        for message in messages {
            let message = Some(message);
            requests.send(v1::ReportRequest { message }).await.unwrap();
        }
        Self {
            hello,
            sequence: 0,
            requests,
            answers: answers.into_inner(),
        }
    }

    /// A connected agent, and the highest sequence that is durable.
    async fn connect(server: &Server, node: &str, epoch: u64) -> (Self, u64) {
        let hello = hello(node, epoch);
        let mut agent = Self::open(server, hello.clone(), vec![Message::Hello(hello)]).await;
        match agent.answer().await.unwrap() {
            Answer::Config(config) => (agent, config.durable_sequence),
            Answer::Ack(ack) => panic!("{ack:?} before config"),
        }
    }

    async fn answer(&mut self) -> Result<Answer, Status> {
        let answer = tokio::time::timeout(SOON, self.answers.message());
        let answer = answer.await.expect("no answer")?;
        Ok(answer
            .and_then(|answer| answer.message)
            .expect("an answer without content"))
    }

    /// The next batch: connections to `port`, opened by 10.0.0.9.
    fn batch(&mut self, port: u32, opened: u64) -> v1::Batch {
        self.sequence += 1;
        report::batch(&self.hello, self.sequence, port, opened)
    }

    async fn send(&self, batch: v1::Batch) {
        let message = Some(Message::Batch(batch));
        self.requests
            .send(v1::ReportRequest { message })
            .await
            .unwrap();
    }

    /// Sends a batch and waits until it is durable; the acknowledged sequence.
    async fn report(&mut self, port: u32, opened: u64) -> u64 {
        let batch = self.batch(port, opened);
        self.deliver(batch).await
    }

    async fn deliver(&mut self, batch: v1::Batch) -> u64 {
        self.send(batch).await;
        match self.answer().await.unwrap() {
            Answer::Ack(ack) => ack.sequence,
            Answer::Config(config) => panic!("{config:?} again"),
        }
    }
}

/// Connections opened by port, as servers saw them.
fn opened(graph: &v1::Graph) -> BTreeMap<u32, u64> {
    let edges = graph.edges.iter();
    edges
        .map(|edge| (edge.port, edge.server_view.unwrap().connections_opened))
        .collect()
}

async fn graph(server: &Server) -> v1::Graph {
    let request = v1::GetGraphRequest::default();
    topology(server)
        .await
        .get_graph(request)
        .await
        .unwrap()
        .into_inner()
}

/// Questions that no reader gets an answer to, with the field that is wrong.
fn wrong_questions() -> Vec<(v1::GraphQuery, &'static str)> {
    let query = |level: &str, hops| v1::GraphQuery {
        level: level.into(),
        hops,
        ..v1::GraphQuery::default()
    };
    let ask = |ask: fn(&mut v1::GraphQuery)| {
        let mut query = v1::GraphQuery::default();
        ask(&mut query);
        query
    };
    fn length(seconds: i64, nanos: i32) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos })
    }
    fn name(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }
    vec![
        (query("cluster", None), "level"),
        (query("", Some(99)), "hops"),
        (query("", Some(2)), "hops"),
        (ask(|query| query.direction = "inbound".into()), "direction"),
        (ask(|query| query.namespaces = name("Shop")), "namespaces"),
        (
            ask(|query| query.selector = "app in web".into()),
            "selector",
        ),
        (
            ask(|query| query.selector = "é,".repeat(90_000)),
            "selector",
        ),
        (ask(|query| query.kinds = name("a pod")), "kinds"),
        (ask(|query| query.ports = name("http")), "ports"),
        (ask(|query| query.protocols = name("sctp")), "protocols"),
        (ask(|query| query.top_by = "bytes".into()), "top_by"),
        (ask(|query| query.window = length(0, 0)), "window"),
        (ask(|query| query.window = length(60, -1)), "window"),
    ]
}

/// The answer names the field, and says what to write instead.
#[track_caller]
fn assert_names(status: &Status, field: &str) {
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with(field), "{status}");
    let wrong = wrong_question(status).unwrap();
    assert_eq!(wrong.field, field);
    let is_helpful = !wrong.message.is_empty() && wrong.hint.contains(' ');
    assert!(is_helpful, "{status}");
}
