//! Nodes of a test's own.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Result;
use tempfile::TempDir;

use super::node::Node;
use crate::wait::{PATIENCE, eventually};

/// One node or more, at addresses and in a folder of their own.
pub struct Ring {
    // Ended before their folder goes.
    nodes: Vec<Node>,
    folder: TempDir,
}

impl Ring {
    /// Starts so many, one after the other, and waits until all answer.
    pub fn start(nodes: u8) -> Result<Self> {
        Self::start_with(nodes, "")
    }

    /// The same with more settings of `cassandra.yaml`.
    pub fn start_with(nodes: u8, more: &str) -> Result<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        // `clean-host` knows them by this name.
        let folder = TempDir::with_prefix("insight-cassandra-")?;
        let process = u8::try_from(100 + std::process::id() % 100)?;
        let ring = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = |number: u8| Ipv4Addr::new(127, process, ring, number + 1);
        let part = (1_i128 << 64) / i128::from(nodes.max(1));
        let mut ring = Self {
            nodes: Vec::new(),
            folder,
        };
        for number in 0..nodes {
            let token = i128::from(i64::MIN) + part * i128::from(number);
            let place = ring.folder.path().join(format!("node-{number}"));
            let mut node = Node::new(place, address(number), token, address(0));
            node.configure(more)?;
            node.start()?;
            ring.nodes.push(node);
        }
        Ok(ring)
    }

    /// A store in it. The schema is applied, with a copy at each node.
    pub fn store(&self) -> Result<String> {
        let url = self.url();
        // A node that has just begun to answer is known to the others a moment later.
        eventually(PATIENCE, "all nodes to be known", || {
            super::apply_schema(&url, self.nodes.len())
        })?;
        Ok(url)
    }

    /// An URL that names all nodes and a keyspace.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self
            .nodes
            .iter()
            .map(|node| node.address.to_string())
            .collect();
        format!("cassandra://{}/tests?dc=datacenter1", hosts.join(","))
    }

    /// Kills a node with SIGKILL.
    pub fn kill(&mut self, number: usize) {
        self.nodes[number].kill();
    }

    /// Starts a node that was killed, with what it had kept, and waits until it answers.
    pub fn restart(&mut self, number: usize) -> Result<()> {
        self.nodes[number].start()
    }
}
