//! What nearly every test of the cluster begins with: a namespace, an aggregator that asks the API server, an agent on each node.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Cluster, Load, Namespace, Node, Pod};
use crate::product::{Agent, Aggregator};
use crate::reader::edge::{Edge, from_json};
use crate::witness::{Round, Witness, in_clear_view};

/// Pods of a test's own, and who watches them.
pub struct Stage<'a> {
    /// Where its pods are.
    pub pods: Namespace<'a>,
    /// Asks the API server.
    pub aggregator: Aggregator,
    /// One on each node.
    pub agents: Vec<Agent>,
    /// All of it.
    pub cluster: &'a Cluster,
}

impl<'a> Stage<'a> {
    /// One whose aggregator goes straight to the API server. Nodes have the image of [`Load`].
    pub fn new(cluster: &'a Cluster) -> Result<Self> {
        let pods = Namespace::new(cluster)?;
        let (aggregator, agents) = cluster.insight()?;
        Load::image()?;
        Ok(Self {
            pods,
            aggregator,
            agents,
            cluster,
        })
    }

    /// A workload with one pod, which is ready.
    pub fn deploy(&self, name: &str, node: &Node, loads: &[Load]) -> Result<Pod> {
        self.pods.deploy(name, node, loads)
    }

    /// What the graph calls a workload of its namespace at workload level.
    pub fn id(&self, kind: &str, name: &str) -> String {
        format!("{kind}:{}/{name}", self.pods.name)
    }

    /// The graph, as the words of a query ask for it.
    pub fn graph(&self, query: &str) -> Result<Value> {
        self.aggregator.reader()?.graph(query)
    }

    /// The edges of it.
    pub fn edges(&self, query: &str) -> Result<Vec<Edge>> {
        from_json(&self.graph(query)?)
    }

    /// Waits until the aggregator has all that was counted before.
    pub fn settle(&self) -> Result<()> {
        self.agents.iter().try_for_each(Agent::settle)
    }
}

impl Cluster {
    /// Runs rounds on it, and repeats one in which the kernel hid something from all programs.
    pub fn in_clear_view(round: impl Fn(&Self) -> Result<()>) -> Result<()> {
        let cluster = Self::obtain()?;
        in_clear_view(|| {
            let witness = Witness::start();
            Ok(Round {
                ended: round(&cluster),
                hidden: witness.hidden()?,
            })
        })
    }
}

/// What a graph in JSON says of a node.
pub fn node_of<'g>(graph: &'g Value, id: &str) -> Result<&'g Value> {
    let nodes = graph["nodes"].as_array().context("no nodes")?;
    let mut found = nodes.iter().filter(|node| node["id"] == id);
    let node = found
        .next()
        .with_context(|| format!("no {id} in {graph}"))?;
    ensure!(found.next().is_none(), "{id} is there twice");
    Ok(node)
}
