//! `AgentService`: one stream with each agent.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use insight_proto::{PROTOCOL_VERSION, v1};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use v1::agent_service_server::AgentService;
use v1::report_request::Message;
use v1::report_response::Message as Answer;

use super::agents::{Agents, Place, Refused};
use super::committer::Committer;
use super::decode::{check_node_name, decode};
use super::limits::{MAX_AGENTS, MAX_HELLO_WORD};
use super::stats::IngestStats;
use crate::ledger::{Ledger, Outcome};
use crate::model::{Report, now_ms};

/// How long a stream may stay silent before its hello.
const HELLO_WAIT: Duration = Duration::from_secs(10);
/// Answers that an agent has not read yet; the next batch waits when it is full, because each batch has one answer.
const MAX_ANSWERS: usize = 4;
/// Batches with more rows are decoded on a thread that may block: 1,000 rows take about a millisecond.
const ROWS_DECODED_IN_PLACE: usize = 1_000;

/// Serves `AgentService`.
pub struct AgentApi {
    /// What is durable.
    pub ledger: Arc<Ledger>,
    /// Makes batches durable.
    pub committer: Committer,
    /// Who is connected.
    pub agents: Agents,
    /// What is counted.
    pub stats: Arc<IngestStats>,
    /// What every agent is asked for.
    pub asked: v1::AgentConfig,
    /// Cancelled when the aggregator stops.
    pub stop: CancellationToken,
    /// The streams' tasks.
    pub tasks: TaskTracker,
}

type Answers = mpsc::Sender<Result<v1::ReportResponse, Status>>;

#[tonic::async_trait]
impl AgentService for AgentApi {
    type ReportStream =
        Pin<Box<dyn Stream<Item = Result<v1::ReportResponse, Status>> + Send + 'static>>;

    /// Answers at once, so that an agent may wait for the answer before it says hello; what is wrong ends the stream.
    async fn report(
        &self,
        request: Request<Streaming<v1::ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let (answers, stream) = mpsc::channel(MAX_ANSWERS);
        let talk = Talk {
            ledger: self.ledger.clone(),
            committer: self.committer.clone(),
            agents: self.agents.clone(),
            stats: self.stats.clone(),
            asked: self.asked.clone(),
        };
        let (inbound, stop) = (request.into_inner(), self.stop.clone());
        self.tasks.spawn(async move {
            let ended = tokio::select! {
                ended = talk.run(inbound, &answers) => ended,
                () = stop.cancelled() => Err(Status::unavailable("the aggregator is stopping")),
            };
            if let Err(status) = ended {
                // A reader that is gone does not need to know why.
                let _ = answers.send(Err(status)).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// One stream.
struct Talk {
    ledger: Arc<Ledger>,
    committer: Committer,
    agents: Agents,
    stats: Arc<IngestStats>,
    asked: v1::AgentConfig,
}

impl Talk {
    async fn run(
        &self,
        mut inbound: Streaming<v1::ReportRequest>,
        answers: &Answers,
    ) -> Result<(), Status> {
        let entered = match first(&mut inbound).await {
            Ok(mut hello) => {
                if self.asked.interval_ms > 0 {
                    hello.interval_ms = self.asked.interval_ms;
                }
                self.enter(&hello).map(|place| (hello, place))
            }
            Err(status) => Err(status),
        };
        let (hello, place) = entered.inspect_err(|status| {
            self.stats.refused_streams.one();
            tracing::warn!(code = ?status.code(), reason = status.message(), "agent refused");
        })?;
        tracing::info!(
            node = hello.node,
            epoch = hello.epoch,
            version = hello.agent_version,
            "agent connected"
        );
        let ended = tokio::select! {
            ended = self.batches(&hello, &place, &mut inbound, answers) => ended,
            () = place.replaced.cancelled() => Err(Status::aborted(
                "a newer stream of the same agent took over",
            )),
        };
        match &ended {
            Ok(()) => tracing::info!(node = hello.node, "agent disconnected"),
            // What the transport says when the other side is gone; gRPC's own codes say what is wrong.
            Err(status) if status.code() == tonic::Code::Unknown => {
                tracing::info!(
                    node = hello.node,
                    reason = status.message(),
                    "agent's connection was lost"
                );
            }
            Err(status) => tracing::warn!(
                node = hello.node,
                code = ?status.code(),
                reason = status.message(),
                "agent's stream ended"
            ),
        }
        ended
    }

    fn enter(&self, hello: &v1::Hello) -> Result<Place, Status> {
        check_hello(hello)?;
        self.agents.enter(hello).map_err(|refused| match refused {
            Refused::NodeTaken { epoch, since } => Status::already_exists(format!(
                "another agent (epoch {epoch}) has been reporting for node {:?} for {} s; two would count everything \
                 twice: give each agent its own --node-name, or stop one",
                hello.node,
                (now_ms() - since) / 1000
            )),
            Refused::OtherBoot => Status::unavailable(format!(
                "the agent of node {:?} from before its restart is still connected; come again in some seconds, or if that is \
                 another machine, give each its own --node-name",
                hello.node
            )),
            Refused::TooMany => Status::resource_exhausted(format!(
                "{MAX_AGENTS} agents are connected, the limit of one aggregator"
            )),
        })
    }

    async fn batches(
        &self,
        hello: &v1::Hello,
        place: &Place,
        inbound: &mut Streaming<v1::ReportRequest>,
        answers: &Answers,
    ) -> Result<(), Status> {
        // An agent that was killed may have left a batch on its way here; its successor must be told what became of it.
        place.older_gone.cancelled().await;
        self.committer.settle().await;
        let config = v1::AgentConfig {
            durable_sequence: self.ledger.durable_sequence(&hello.node, hello.epoch),
            ..self.asked.clone()
        };
        if answer(answers, Answer::Config(config)).await.is_err() {
            return Ok(());
        }
        let mut resumes = true;
        while let Some(request) = inbound.message().await? {
            let batch = match request.message {
                Some(Message::Batch(batch)) => batch,
                Some(Message::Hello(_)) => {
                    return Err(Status::invalid_argument("hello was sent twice"));
                }
                None => return Err(Status::invalid_argument("a message without content")),
            };
            same_agent(hello, &batch)?;
            let (sequence, status) = (batch.sequence, batch.status);
            let durable = self.take(hello, batch, resumes).await?;
            resumes = false;
            place.batch_done(sequence, status);
            let ack = v1::Ack {
                epoch: hello.epoch,
                sequence: durable.max(sequence),
            };
            if answer(answers, Answer::Ack(ack)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes a batch durable; the highest durable sequence.
    async fn take(
        &self,
        hello: &v1::Hello,
        batch: v1::Batch,
        resumes: bool,
    ) -> Result<u64, Status> {
        let sequence = batch.sequence;
        let mut report = self.decode(hello, batch).await.inspect_err(|_| {
            self.stats.bad.one();
        })?;
        report.resumes = resumes;
        match self.committer.commit(report).await {
            Ok(Outcome::Stored) => Ok(sequence),
            Ok(Outcome::Duplicate) => Ok(self.ledger.durable_sequence(&hello.node, hello.epoch)),
            Ok(Outcome::Gap { expected }) => Err(Status::invalid_argument(format!(
                "batch {sequence} of node {:?} comes too early: {expected} is next; send from there",
                hello.node
            ))),
            Err(why) => Err(Status::unavailable(format!(
                "batch {sequence} could not be made durable, send it again later: {}",
                why.0
            ))),
        }
    }

    async fn decode(&self, hello: &v1::Hello, batch: v1::Batch) -> Result<Report, Status> {
        let interval_ms = hello.interval_ms;
        let what = format!("batch {} of node {:?}", batch.sequence, hello.node);
        let rows = batch.flows.as_ref().map_or(0, |flows| flows.local.len());
        let started = Instant::now();
        let decoded = if rows.max(batch.owners.len()) <= ROWS_DECODED_IN_PLACE {
            decode(&batch, interval_ms)
        } else {
            tokio::task::spawn_blocking(move || decode(&batch, interval_ms))
                .await
                .map_err(|error| Status::internal(format!("{what}: {error}")))?
        };
        self.stats.decodes.add(started.elapsed());
        decoded.map_err(|bad| Status::invalid_argument(format!("{what}: {bad}")))
    }
}

/// An agent that does not read its answers any more.
struct Gone;

async fn answer(answers: &Answers, message: Answer) -> Result<(), Gone> {
    let response = v1::ReportResponse {
        message: Some(message),
    };
    answers.send(Ok(response)).await.map_err(|_| Gone)
}

async fn first(inbound: &mut Streaming<v1::ReportRequest>) -> Result<v1::Hello, Status> {
    let first = tokio::time::timeout(HELLO_WAIT, inbound.message())
        .await
        .map_err(|_| {
            Status::deadline_exceeded(format!("no hello within {} s", HELLO_WAIT.as_secs()))
        })??;
    match first.and_then(|request| request.message) {
        Some(Message::Hello(hello)) => Ok(hello),
        Some(Message::Batch(_)) => Err(Status::invalid_argument(
            "the first message of a stream must be hello, this one is a batch",
        )),
        None => Err(Status::invalid_argument(
            "the first message of a stream must be hello, this one is empty",
        )),
    }
}

fn check_hello(hello: &v1::Hello) -> Result<(), Status> {
    if hello.protocol_version != PROTOCOL_VERSION {
        return Err(Status::failed_precondition(format!(
            "the agent of node {:?} speaks protocol version {}, this aggregator speaks {PROTOCOL_VERSION}; install \
             agent and aggregator of the same release",
            hello.node.chars().take(MAX_HELLO_WORD).collect::<String>(),
            hello.protocol_version
        )));
    }
    check_node_name(&hello.node)
        .map_err(|problem| Status::invalid_argument(format!("hello.node {problem}")))?;
    for (field, word) in [
        ("boot_id", &hello.boot_id),
        ("agent_version", &hello.agent_version),
    ] {
        if word.len() > MAX_HELLO_WORD {
            return Err(Status::invalid_argument(format!(
                "hello.{field} is {} bytes long, the limit is {MAX_HELLO_WORD}",
                word.len()
            )));
        }
    }
    Ok(())
}

fn same_agent(hello: &v1::Hello, batch: &v1::Batch) -> Result<(), Status> {
    let differs = |field: &str, said: &dyn std::fmt::Debug, now: &dyn std::fmt::Debug| {
        Err(Status::invalid_argument(format!(
            "{field} is {now:?}, but this stream's hello said {said:?}"
        )))
    };
    if batch.node != hello.node {
        let node: String = batch.node.chars().take(MAX_HELLO_WORD).collect();
        return differs("batch.node", &hello.node, &node);
    }
    if batch.epoch != hello.epoch {
        return differs("batch.epoch", &hello.epoch, &batch.epoch);
    }
    if batch.boot_id != hello.boot_id {
        let boot_id: String = batch.boot_id.chars().take(MAX_HELLO_WORD).collect();
        return differs("batch.boot_id", &hello.boot_id, &boot_id);
    }
    Ok(())
}
