//! Everything that reads the graph: HTTP, gRPC and the command line.

pub mod edge;
pub mod grpc;
pub mod http;
pub mod metrics;
pub mod scrapes;
mod subscription;

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

pub use edge::{Counts, Edge};
pub use grpc::Grpc;
pub use subscription::{Known, Subscription};

use crate::product::{program, run_once};

/// A reader of one aggregator.
pub struct Reader {
    http_port: u16,
    grpc_address: SocketAddr,
    /// The gRPC side.
    pub grpc: Grpc,
}

impl Reader {
    /// Connects when it is first used.
    pub fn new(http_port: u16, grpc: SocketAddr) -> Result<Self> {
        Ok(Self {
            http_port,
            grpc_address: grpc,
            grpc: Grpc::new(grpc)?,
        })
    }

    /// `GET /v1/graph` with a query such as `level=container`.
    pub fn graph(&self, query: &str) -> Result<Value> {
        let body = http::get_ok(self.http_port, &format!("/v1/graph?{query}"))?;
        serde_json::from_str(&body).with_context(|| format!("not JSON: {body}"))
    }

    /// `insight-aggregator graph --format json` with further flags.
    pub fn graph_by_command(&self, flags: &[&str]) -> Result<Value> {
        let mut command = Command::new(program("insight-aggregator")?);
        command
            .args(["graph", "--format", "json", "--server"])
            .arg(format!("http://{}", self.grpc_address))
            .args(flags);
        let text = run_once(command)?.stdout()?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// The aggregator's `/metrics`.
    pub fn metrics(&self) -> Result<String> {
        http::get_ok(self.http_port, "/metrics")
    }

    /// Any path.
    pub fn get(&self, path: &str) -> Result<http::Answer> {
        http::get(self.http_port, path)
    }

    /// The edge from one node to another at a port, as `GET /v1/graph` has it.
    pub fn edge(&self, level: &str, client: &str, server: &str, port: u16) -> Result<Edge> {
        let graph = self.graph(&format!("level={level}"))?;
        edge::find(&edge::from_json(&graph)?, client, server, port)
    }
}
