//! The running aggregator: everything that `serve` starts, and stops again in reverse order.

mod addresses;
mod names;
mod retention;
mod tables;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use insight_proto::v1;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::CompressionEncoding::Zstd;
use tonic::transport::server::TcpIncoming;
use v1::agent_service_server::AgentServiceServer;
use v1::topology_service_server::TopologyServiceServer;

pub use self::addresses::PortTaken;
pub use self::tables::TABLES;
use crate::api::cluster_insight;
use crate::api::feed::Feeds;
use crate::api::grpc::TopologyApi;
use crate::api::http::{self, Http};
use crate::api::prometheus::EdgeSeries;
use crate::api::reader::Reader;
use crate::api::stats::ApiStats;
use crate::history::Names;
use crate::ingest::agents::Agents;
use crate::ingest::committer::Committer;
use crate::ingest::limits::MAX_MESSAGE_BYTES;
use crate::ingest::service::AgentApi;
use crate::ingest::stats::IngestStats;
use crate::ledger::Ledger;

/// How often the other end of a quiet connection is asked whether it is there, so that a node that lost power leaves its
/// place to its successor.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long it has to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long stopping may take, so that with a second for names and the last threads' second it is ten; Kubernetes kills after
/// 30 s, systemd after 90 s.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// The running aggregator.
pub struct Server {
    /// Where gRPC is served.
    pub grpc: SocketAddr,
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where Cluster Insight's paths are served alone.
    pub cluster_insight: Option<SocketAddr>,
    /// Ends streams, feeds and readiness.
    stop: CancellationToken,
    /// Ends the retention task, after everybody who reads.
    stop_retention: CancellationToken,
    /// The gRPC and HTTP servers with all streams and feeds.
    serving: TaskTracker,
    retention: tokio::task::JoinHandle<()>,
    commits: JoinHandle<()>,
}

impl Server {
    /// Starts everything over an open ledger and waits until both addresses are listened to. Port 0 takes a free one. `asked` is
    /// sent to every agent, with what is durable of it. `names` names what they report. Cluster Insight's paths are also served alone, if an
    /// address is given for it.
    ///
    /// Errors: [`PortTaken`], or what else is wrong with an address.
    pub async fn start(
        ledger: Arc<Ledger>,
        grpc: SocketAddr,
        http: SocketAddr,
        cluster_insight: Option<SocketAddr>,
        asked: v1::AgentConfig,
        names: impl Into<Names>,
    ) -> Result<Self> {
        let names = names.into();
        let directory = names.directory().clone();
        let grpc_listener = addresses::listen("grpc", grpc).await?;
        let http_listener = addresses::listen("http", http).await?;
        let (grpc, http) = (grpc_listener.local_addr()?, http_listener.local_addr()?);
        let insight_listener = match cluster_insight {
            Some(address) => Some(addresses::listen("cluster-insight", address).await?),
            None => None,
        };
        let cluster_insight = insight_listener
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()?;

        let stop = CancellationToken::new();
        let serving = TaskTracker::new();
        let ingest = Arc::new(IngestStats::default());
        let stats = Arc::new(ApiStats::default());
        let agents = Agents::default();
        let (committer, commits) = Committer::start(ledger.clone(), ingest.clone())
            .context("cannot start the thread that makes reports durable")?;
        let stop_retention = CancellationToken::new();
        let retention = tokio::spawn(retention::run(
            ledger.clone(),
            names.history().cloned(),
            stop_retention.clone(),
        ));

        serving.spawn(names::follow(directory, ledger.clone(), stop.clone()));
        let reader = Reader::new(ledger.clone(), names.clone(), stats.clone());
        let feeds = Feeds::new(ledger.clone(), names, stats, stop.clone(), serving.clone());
        let agent_api = AgentApi {
            ledger,
            committer: committer.clone(),
            agents: agents.clone(),
            stats: ingest.clone(),
            asked,
            stop: stop.clone(),
            tasks: serving.clone(),
        };
        let topology_api = TopologyApi {
            reader: reader.clone(),
            feeds: feeds.clone(),
            tasks: serving.clone(),
        };
        let http_state = Http {
            reader,
            feeds,
            agents,
            committer,
            ingest,
            edges: Arc::new(EdgeSeries::default()),
            cluster_insight: Arc::default(),
            stop: stop.clone(),
        };
        if let Some(listener) = insight_listener {
            let router = cluster_insight::router(http_state.clone());
            serving.spawn(serve_http(listener, router, stop.clone()));
        }
        let router = http::router(http_state);
        serving.spawn(serve_http(http_listener, router, stop.clone()));
        let grpc_served = serve_grpc(grpc_listener, agent_api, topology_api, stop.clone()).await?;
        serving.spawn(grpc_served);
        Ok(Self {
            grpc,
            http,
            cluster_insight,
            stop,
            stop_retention,
            serving,
            retention,
            commits,
        })
    }

    /// Stops: readers and agents are told and let go, what was received is made durable. After nine seconds the rest is
    /// abandoned, which loses nothing: what was not acknowledged is sent again.
    pub async fn stop(self) {
        self.stop.cancel();
        self.serving.close();
        let commits = self.commits;
        let orderly = async move {
            self.serving.wait().await;
            self.stop_retention.cancel();
            // A panic there has been printed; there is nothing left to do about it.
            let _ = self.retention.await;
            let _ = tokio::task::spawn_blocking(move || commits.join()).await;
        };
        if tokio::time::timeout(STOP_WITHIN, orderly).await.is_err() {
            tracing::warn!(
                seconds = STOP_WITHIN.as_secs(),
                "not everything stopped in time; what was not acknowledged will be sent again"
            );
        }
    }
}

async fn serve_http(listener: TcpListener, router: Router, stop: CancellationToken) {
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP server ended");
    }
}

async fn serve_grpc(
    listener: TcpListener,
    agents: AgentApi,
    topology: TopologyApi,
    stop: CancellationToken,
) -> Result<impl Future<Output = ()>> {
    let agents = AgentServiceServer::new(agents)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .accept_compressed(Zstd)
        .send_compressed(Zstd);
    let topology = TopologyServiceServer::new(topology)
        .accept_compressed(Zstd)
        .send_compressed(Zstd);
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter
        .set_serving::<AgentServiceServer<AgentApi>>()
        .await;
    health_reporter
        .set_serving::<TopologyServiceServer<TopologyApi>>()
        .await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(insight_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (v1, v1alpha) = (reflection().build_v1()?, reflection().build_v1alpha()?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(health)
        .add_service(v1)
        .add_service(v1alpha)
        .add_service(agents)
        .add_service(topology)
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned());
    Ok(async move {
        // Kept as long as the server: dropped, it would say "not serving".
        let _health_reporter = health_reporter;
        if let Err(error) = served.await {
            tracing::error!(%error, "the gRPC server ended");
        }
    })
}
