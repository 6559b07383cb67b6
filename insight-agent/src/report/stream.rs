//! Keeps a stream to the aggregator open and moves batches over it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use insight_proto::PROTOCOL_VERSION;
use insight_proto::v1::{AgentConfig, Hello, ReportResponse, report_request, report_response};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codegen::http::Uri;
use tonic::transport::Endpoint;
use tonic::{Code, Status, Streaming};
use tracing::{info, warn};

use super::backoff::Backoff;
use super::{Asked, Destination, Outbox, wire};
use crate::status::Status as AgentStatus;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A dead aggregator is noticed after about this and half as much again.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long the aggregator may take to end a stream that the agent has ended.
const HANG_UP: Duration = Duration::from_secs(1);

/// Who reports.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Node name.
    pub node: String,
    /// Boot id.
    pub boot_id: String,
    /// Unix time of the agent's start, nanoseconds.
    pub epoch: u64,
    /// Export interval, milliseconds.
    pub interval_ms: u32,
}

/// Moves batches from the outbox to the aggregator.
pub struct Reporter {
    /// Where to.
    pub endpoint: Endpoint,
    /// The same, by address.
    pub destination: Arc<Destination>,
    /// From whom.
    pub identity: Identity,
    /// What.
    pub outbox: Arc<Outbox>,
    /// Who wants to know how it goes.
    pub status: AgentStatus,
    /// What the aggregator asks.
    pub asked: watch::Sender<Asked>,
}

impl Reporter {
    /// Reconnects for ever, until stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let ended = self.stream(&mut backoff, &stop).await;
            if stop.is_cancelled() {
                return;
            }
            let error = ended
                .err()
                .unwrap_or_else(|| anyhow::anyhow!("the aggregator ended the stream"));
            self.status.disconnected(&format!("{error:#}"));
            let taken = |refused: &Refused| refused.code == Code::AlreadyExists;
            if error.downcast_ref().is_some_and(taken) {
                self.outbox.deny();
            }
            let wait = backoff.next();
            warn!(
                "no aggregator: {error:#}; next try in {wait:.1?}; counting goes on in the kernel"
            );
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One stream, to its end.
    async fn stream(&self, backoff: &mut Backoff, stop: &CancellationToken) -> Result<()> {
        let (to_aggregator, mut answers) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            opened = self.open() => opened?,
        };
        let mut sent = self.greet(&mut answers).await?;
        backoff.reset();
        self.outbox.admit();
        self.status.connected();
        info!(aggregator = %self.endpoint.uri(), "reporting");
        loop {
            while let Some(batch) = self.outbox.after(sent) {
                sent = batch.sequence;
                tokio::select! {
                    () = stop.cancelled() => break,
                    handed = send(&to_aggregator, batch.request) => handed?,
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.outbox.changed() => {}
                answer = answers.message() => match answer.map_err(refused)? {
                    Some(answer) => self.take(&answer),
                    None => return Ok(()),
                },
            }
        }
        // The aggregator sees an agent that ends its stream, not one that was cut off.
        drop(to_aggregator);
        let _ = tokio::time::timeout(HANG_UP, async {
            while let Ok(Some(answer)) = answers.message().await {
                self.take(&answer);
            }
        })
        .await;
        Ok(())
    }

    async fn open(&self) -> Result<(mpsc::Sender<Bytes>, Streaming<ReportResponse>)> {
        self.destination.look_up().await;
        let channel = self
            .endpoint
            .clone()
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE / 2)
            .keep_alive_while_idle(true)
            .connect()
            .await
            .with_context(|| format!("connect to {}", self.endpoint.uri()))?;
        let (to_aggregator, outgoing) = mpsc::channel(1);
        let hello = wire::encode(report_request::Message::Hello(self.hello()));
        send(&to_aggregator, hello).await?;
        let answers = wire::report(channel, ReceiverStream::new(outgoing))
            .await
            .map_err(|status| not_opened(status, self.endpoint.uri()))?
            .into_inner();
        Ok((to_aggregator, answers))
    }

    /// The aggregator's first answer says what it has of this agent; the rest is sent again.
    async fn greet(&self, answers: &mut Streaming<ReportResponse>) -> Result<u64> {
        let first = tokio::time::timeout(CONNECT_TIMEOUT, answers.message())
            .await
            .context("the aggregator does not answer")?
            .map_err(|status| not_opened(status, self.endpoint.uri()))?;
        match first.and_then(|answer| answer.message) {
            Some(report_response::Message::Config(config)) => {
                self.outbox.greeted(config.durable_sequence);
                self.configure(&config);
                Ok(config.durable_sequence)
            }
            _ => bail!(
                "the aggregator did not begin with its configuration: is {} an Insight aggregator?",
                self.endpoint.uri()
            ),
        }
    }

    fn take(&self, answer: &ReportResponse) {
        match &answer.message {
            Some(report_response::Message::Ack(ack)) if ack.epoch == self.identity.epoch => {
                self.outbox.acknowledge(ack.sequence);
                self.status.acknowledged(self.outbox.len());
            }
            Some(report_response::Message::Config(config)) => self.configure(config),
            Some(_) | None => {}
        }
    }

    fn configure(&self, config: &AgentConfig) {
        let own = Duration::from_millis(self.identity.interval_ms.into());
        let asked = Asked::of(config, own);
        self.asked.send_if_modified(|before| {
            if before.interval != asked.interval {
                info!(interval = ?asked.interval, "the aggregator asks for another interval, or leaves it to the agent again");
            }
            let is_new = *before != asked;
            *before = asked;
            is_new
        });
    }

    fn hello(&self) -> Hello {
        let identity = &self.identity;
        Hello {
            protocol_version: PROTOCOL_VERSION,
            node: identity.node.clone(),
            boot_id: identity.boot_id.clone(),
            epoch: identity.epoch,
            agent_version: env!("CARGO_PKG_VERSION").into(),
            interval_ms: identity.interval_ms,
        }
    }
}

async fn send(to: &mpsc::Sender<Bytes>, request: Bytes) -> Result<()> {
    to.send(request)
        .await
        .context("the stream to the aggregator ended")
}

/// Why the stream ended before it began. Another kind of server answers in its own way, and gRPC makes these codes of it.
fn not_opened(status: Status, uri: &Uri) -> anyhow::Error {
    let is_strange = matches!(
        status.code(),
        Code::Internal | Code::Unknown | Code::Unimplemented | Code::NotFound
    );
    let error = refused(status);
    if is_strange {
        error.context(format!(
            "is {uri} the gRPC address of an Insight aggregator? Its port is 7701 unless changed"
        ))
    } else {
        error
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn refused(status: Status) -> anyhow::Error {
    anyhow::Error::new(Refused {
        code: status.code(),
        message: status.message().to_owned(),
    })
}

/// What the aggregator said.
#[derive(Debug)]
struct Refused {
    code: Code,
    message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            to,
            "the aggregator answers {:?}: {}",
            self.code, self.message
        )
    }
}

impl std::error::Error for Refused {}
