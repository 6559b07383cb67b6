//! Something that is stored, and must stay.

use anyhow::{Context, Result, ensure};
use insight_tests::fake_agent::{FakeAgent, Talk, container_node, now_ms};
use insight_tests::product::Aggregator;
use insight_tests::reader::{Counts, Reader};
use serde_json::Value;

/// A graph of the past that must stay.
pub(crate) struct Stored {
    query: String,
    graph: Value,
}

/// What two containers said.
pub(crate) fn talk(connections: u64) -> Talk {
    Talk {
        client: 1,
        server: 2,
        port: 80,
        connections,
        sent: 1_000,
        received: 2_000,
    }
}

impl Stored {
    pub(crate) fn put(aggregator: &Aggregator, reader: &Reader) -> Result<Self> {
        let end = now_ms() - 3_600_000;
        let mut agent = FakeAgent::connect(&aggregator.grpc_url(), "stored", 1)?;
        let batch = agent.next_batch(&[talk(3)], (end - 500, end));
        agent.send(batch)?;
        agent.wait_acked()?;
        let query = format!("level=container&at={}", end + 1_000);
        let graph = reader.graph(&query)?;
        let edges = graph["edges"].as_array().context("no edges")?;
        ensure!(edges.len() == 1, "what was stored is not there: {graph}");
        Ok(Self { query, graph })
    }

    pub(crate) fn expect_unchanged(&self, reader: &Reader) -> Result<()> {
        assert_eq!(reader.graph(&self.query)?, self.graph);
        Ok(())
    }

    /// A good agent is served as ever.
    pub(crate) fn add_one(&self, aggregator: &Aggregator, reader: &Reader) -> Result<()> {
        FakeAgent::connect(&aggregator.grpc_url(), "good", 1)?.report(&[talk(1)])?;
        let edge = reader.edge("container", &container_node(1), &container_node(2), 80)?;
        edge.expect_both(&Counts {
            opened: 1,
            closed: 1,
            bytes_sent: 1_000,
            bytes_received: 2_000,
            ..Counts::default()
        })
    }
}
