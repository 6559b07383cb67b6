//! The gRPC reader, as blocking calls.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use insight_proto::v1;
use insight_proto::v1::topology_service_client::TopologyServiceClient;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Channel, Endpoint};

use super::edge::{self, Edge};
use super::subscription::{Known, Subscription};

/// Bigger than any graph of a test.
const MESSAGE_LIMIT: usize = 256 << 20;

/// A client of `TopologyService`. Its connection moves only during a call.
pub struct Grpc {
    runtime: Rc<Runtime>,
    endpoint: Endpoint,
}

impl Grpc {
    /// Connects with each call.
    pub fn new(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            runtime: Rc::new(Builder::new_current_thread().enable_all().build()?),
            endpoint: Endpoint::from_shared(format!("http://{address}"))?
                .connect_timeout(Duration::from_secs(10)),
        })
    }

    async fn client(&self) -> Result<TopologyServiceClient<Channel>> {
        let channel = self.endpoint.connect().await.context("connect")?;
        Ok(TopologyServiceClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// `GetGraph`, as it came.
    pub fn graph(&self, query: v1::GraphQuery) -> Result<v1::Graph> {
        self.runtime.block_on(async {
            let request = v1::GetGraphRequest { query: Some(query) };
            let mut client = self.client().await?;
            Ok(client.get_graph(request).await?.into_inner())
        })
    }

    /// The edges of `GetGraph` at a level.
    pub fn edges(&self, level: &str) -> Result<Vec<Edge>> {
        edge::from_proto(&self.graph(at_level(level))?)
    }

    /// `Subscribe` at a level.
    pub fn subscribe(&self, level: &str) -> Result<Subscription> {
        self.subscribe_to(at_level(level), Known::default())
    }

    /// `Subscribe` at a level, with the token of what is already known.
    pub fn resume(&self, level: &str, known: Known) -> Result<Subscription> {
        self.subscribe_to(at_level(level), known)
    }

    /// `Subscribe` to a part of the graph, with the token of what is already known.
    pub fn subscribe_to(&self, query: v1::GraphQuery, known: Known) -> Result<Subscription> {
        let request = v1::SubscribeRequest {
            query: Some(query),
            resume_token: known.token.clone(),
        };
        let stream = self.runtime.block_on(async {
            let mut client = self.client().await?;
            anyhow::Ok(client.subscribe(request).await?.into_inner())
        })?;
        Ok(Subscription::new(Rc::clone(&self.runtime), stream, known))
    }
}

/// Everything of the running 15 minutes at a level.
pub fn at_level(level: &str) -> v1::GraphQuery {
    v1::GraphQuery {
        level: level.to_owned(),
        ..v1::GraphQuery::default()
    }
}
