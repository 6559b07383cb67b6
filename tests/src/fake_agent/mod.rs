//! An agent that says what a test tells it: for what no kernel would report, and for more than a kernel soon would.

mod flows;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use insight_proto::PROTOCOL_VERSION;
use insight_proto::v1::agent_service_client::AgentServiceClient;
use insight_proto::v1::report_request::Message as Ask;
use insight_proto::v1::report_response::Message as Answer;
use insight_proto::v1::{AgentStatus, Batch, Hello, ReportRequest, ReportResponse};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

pub use flows::{Talk, container_node, pod_node, talks};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The boot that fake agents claim.
const BOOT: &str = "7e57b007-0000-4000-8000-000000000000";

/// One agent with one open stream.
pub struct FakeAgent {
    runtime: Runtime,
    requests: Sender<ReportRequest>,
    answers: Streaming<ReportResponse>,
    hello: Hello,
    sequence: u64,
    /// Highest sequence that was acknowledged.
    pub acked: u64,
}

/// What an agent says first.
pub fn hello(node: &str, epoch: u64) -> Hello {
    Hello {
        protocol_version: PROTOCOL_VERSION,
        node: node.to_owned(),
        boot_id: BOOT.to_owned(),
        epoch,
        agent_version: "test".to_owned(),
        interval_ms: 500,
    }
}

impl FakeAgent {
    /// Opens a stream and waits for the configuration. `durable_sequence` of an epoch that is known continues it.
    pub fn connect(url: &str, node: &str, epoch: u64) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (requests, receiver) = channel(16);
        let hello = hello(node, epoch);
        let first = ReportRequest {
            message: Some(Ask::Hello(hello.clone())),
        };
        let (answers, durable) = runtime.block_on(async {
            let mut client = AgentServiceClient::connect(url.to_owned()).await?;
            requests.send(first).await?;
            let receiver = ReceiverStream::new(receiver);
            let mut answers = client.report(receiver).await?.into_inner();
            let answer = timeout(PATIENCE, answers.message())
                .await
                .context("no configuration came")??;
            match answer.and_then(|answer| answer.message) {
                Some(Answer::Config(config)) => Ok((answers, config.durable_sequence)),
                other => bail!("expected the configuration, got {other:?}"),
            }
        })?;
        Ok(Self {
            runtime,
            requests,
            answers,
            hello,
            sequence: durable,
            acked: durable,
        })
    }

    /// The batch that comes next, covering a range of Unix milliseconds.
    pub fn next_batch(&mut self, talks: &[Talk], (from, to): (i64, i64)) -> Batch {
        self.sequence += 1;
        let (flows, owners) = flows::talks(talks);
        Batch {
            node: self.hello.node.clone(),
            boot_id: self.hello.boot_id.clone(),
            epoch: self.hello.epoch,
            sequence: self.sequence,
            from_unix_ms: from,
            to_unix_ms: to,
            flows: Some(flows),
            owners,
            metrics: Vec::new(),
            status: Some(AgentStatus {
                live_readout: true,
                dropped_updates: 0,
                flow_map_used: 1,
                flow_map_size: 1024,
            }),
            stopping: false,
        }
    }

    /// Sends a batch.
    pub fn send(&mut self, batch: Batch) -> Result<()> {
        let request = ReportRequest {
            message: Some(Ask::Batch(batch)),
        };
        let sent = self.runtime.block_on(self.requests.send(request));
        sent.context("the stream is closed")
    }

    /// Waits until everything that was sent is durable.
    pub fn wait_acked(&mut self) -> Result<()> {
        let (wanted, answers, acked) = (self.sequence, &mut self.answers, &mut self.acked);
        self.runtime.block_on(async {
            while *acked < wanted {
                let answer = timeout(PATIENCE, answers.message())
                    .await
                    .with_context(|| format!("{acked} of {wanted} batches were acknowledged"))??;
                let answer = answer.context("the stream ended")?;
                if let Some(Answer::Ack(ack)) = answer.message {
                    *acked = ack.sequence;
                }
            }
            Ok(())
        })
    }

    /// Reports the last half second, and waits until it is durable.
    pub fn report(&mut self, talks: &[Talk]) -> Result<()> {
        let now = now_ms();
        let batch = self.next_batch(talks, (now - 500, now));
        self.send(batch)?;
        self.wait_acked()
    }
}

/// Sends messages on a stream of their own and returns the error that they are answered with.
pub fn refusal(url: &str, messages: Vec<ReportRequest>) -> Result<Status> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = AgentServiceClient::connect(url.to_owned()).await?;
        // The stream stays open behind the messages: the aggregator must refuse them, not just see them end.
        let (sender, receiver) = channel(messages.len().max(1));
        for message in messages {
            sender.send(message).await?;
        }
        let mut answers = match client.report(ReceiverStream::new(receiver)).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return Ok(status),
        };
        loop {
            let answer = timeout(PATIENCE, answers.message()).await;
            match answer.context("the messages were not refused")? {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Status::new(Code::Ok, "the stream ended without an error")),
                Err(status) => return Ok(status),
            }
        }
    })
}

/// A message with a batch.
pub fn batch_message(batch: Batch) -> ReportRequest {
    ReportRequest {
        message: Some(Ask::Batch(batch)),
    }
}

/// A message with a hello.
pub fn hello_message(hello: Hello) -> ReportRequest {
    ReportRequest {
        message: Some(Ask::Hello(hello)),
    }
}

/// Now, Unix milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
