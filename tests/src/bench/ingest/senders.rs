//! Agents' streams, as the agent makes them: compressed, without waiting for each acknowledgement.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use insight_proto::v1::ReportRequest;
use insight_proto::v1::agent_service_client::AgentServiceClient;
use insight_proto::v1::report_response::Message as Answer;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;

use super::batches::Agent;
use crate::fake_agent::{batch_message, hello_message};

/// Longest silence of the aggregator.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends everything, and waits until all of it is durable.
pub(in crate::bench) fn send(url: &str, agents: Vec<Agent>) -> Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut streams = JoinSet::new();
        for agent in agents {
            streams.spawn(report(url.to_owned(), agent));
        }
        while let Some(ended) = streams.join_next().await {
            ended.context("a stream's task")??;
        }
        Ok(())
    })
}

async fn report(url: String, agent: Agent) -> Result<()> {
    let last = agent.batches.last().map_or(0, |batch| batch.sequence);
    let mut client = AgentServiceClient::connect(url)
        .await?
        .send_compressed(CompressionEncoding::Zstd)
        .accept_compressed(CompressionEncoding::Zstd);
    let (requests, receiver) = channel(1);
    requests.send(hello_message(agent.hello.clone())).await?;
    let mut answers = client
        .report(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    let sending = tokio::spawn(feed(requests, agent));
    loop {
        let answer = timeout(PATIENCE, answers.message())
            .await
            .context("the aggregator says nothing")??;
        match answer.and_then(|answer| answer.message) {
            Some(Answer::Ack(ack)) if ack.sequence >= last => break,
            Some(_) => {}
            None => bail!("the aggregator ended the stream"),
        }
    }
    sending.await?
}

async fn feed(requests: Sender<ReportRequest>, agent: Agent) -> Result<()> {
    for batch in agent.batches {
        requests
            .send(batch_message(batch))
            .await
            .context("the stream is closed")?;
    }
    Ok(())
}
