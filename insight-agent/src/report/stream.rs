//! Keeps a stream to the aggregator open and moves batches over it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use insight_proto::PROTOCOL_VERSION;
use insight_proto::v1::agent_service_client::AgentServiceClient;
use insight_proto::v1::{Hello, ReportRequest, ReportResponse, report_request, report_response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};
use tracing::{info, warn};

use super::Outbox;
use super::backoff::Backoff;
use crate::status::Status;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A dead aggregator is noticed after about this and half as much again.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

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
    /// From whom.
    pub identity: Identity,
    /// What.
    pub outbox: Arc<Outbox>,
    /// Who wants to know how it goes.
    pub status: Status,
}

impl Reporter {
    /// Reconnects for ever, until stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.stream(&mut backoff) => ended,
            };
            let error = ended
                .err()
                .unwrap_or_else(|| anyhow::anyhow!("the aggregator ended the stream"));
            self.status.disconnected(&format!("{error:#}"));
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

    async fn stream(&self, backoff: &mut Backoff) -> Result<()> {
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
        send(&to_aggregator, report_request::Message::Hello(self.hello())).await?;
        let mut answers = client(channel)
            .report(ReceiverStream::new(outgoing))
            .await
            .map_err(refused)?
            .into_inner();
        let mut sent = self.greet(&mut answers).await?;
        backoff.reset();
        self.status.connected();
        info!(aggregator = %self.endpoint.uri(), "reporting");
        loop {
            while let Some(batch) = self.outbox.after(sent) {
                sent = batch.sequence;
                send(&to_aggregator, report_request::Message::Batch(batch)).await?;
            }
            tokio::select! {
                () = self.outbox.changed() => {}
                answer = answers.message() => match answer.map_err(refused)? {
                    Some(answer) => self.take(&answer),
                    None => return Ok(()),
                },
            }
        }
    }

    /// The aggregator's first answer says what it has of this agent; the rest is sent again.
    async fn greet(&self, answers: &mut Streaming<ReportResponse>) -> Result<u64> {
        let first = tokio::time::timeout(CONNECT_TIMEOUT, answers.message())
            .await
            .context("the aggregator does not answer")?
            .map_err(refused)?;
        match first.and_then(|answer| answer.message) {
            Some(report_response::Message::Config(config)) => {
                self.outbox.acknowledge(config.durable_sequence);
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
            // Cluster ranges have no reader yet, and the interval is the agent's own.
            Some(_) | None => {}
        }
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

fn client(channel: Channel) -> AgentServiceClient<Channel> {
    AgentServiceClient::new(channel)
        .send_compressed(CompressionEncoding::Zstd)
        .accept_compressed(CompressionEncoding::Zstd)
}

async fn send(to: &mpsc::Sender<ReportRequest>, message: report_request::Message) -> Result<()> {
    to.send(ReportRequest {
        message: Some(message),
    })
    .await
    .context("the stream to the aggregator ended")
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn refused(status: tonic::Status) -> anyhow::Error {
    anyhow::anyhow!(
        "the aggregator answers {:?}: {}",
        status.code(),
        status.message()
    )
}
