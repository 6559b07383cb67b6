//! An edge as any reader gets it, in one form, to be compared.

use std::ops::AddAssign;

use anyhow::{Context, Result, ensure};
use insight_proto::v1;
use serde_json::Value;

use crate::load::tally::Tally;

/// Counts of one view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections established.
    pub opened: u64,
    /// Of these, ended.
    pub closed: u64,
    /// Connects that failed.
    pub failed: u64,
    /// Connections open.
    pub active: u64,
    /// Payload bytes, client to server.
    pub bytes_sent: u64,
    /// Payload bytes, server to client.
    pub bytes_received: u64,
}

impl Counts {
    /// What a view must show when everything that a client did is over.
    pub fn finished(tally: &Tally) -> Self {
        Self {
            opened: tally.connections,
            closed: tally.connections,
            failed: 0,
            active: 0,
            bytes_sent: tally.bytes_sent,
            bytes_received: tally.bytes_received,
        }
    }

    /// What a view must show while the client's connections are open.
    pub fn open(tally: &Tally) -> Self {
        Self {
            closed: 0,
            active: tally.connections,
            ..Self::finished(tally)
        }
    }

    /// Whether no count is below that of an earlier moment; `active` may go either way.
    pub fn at_least(&self, earlier: &Self) -> bool {
        self.opened >= earlier.opened
            && self.closed >= earlier.closed
            && self.failed >= earlier.failed
            && self.bytes_sent >= earlier.bytes_sent
            && self.bytes_received >= earlier.bytes_received
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.opened += more.opened;
        self.closed += more.closed;
        self.failed += more.failed;
        self.active += more.active;
        self.bytes_sent += more.bytes_sent;
        self.bytes_received += more.bytes_received;
    }
}

/// One edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// 16 hexadecimal digits.
    pub id: String,
    /// Id of the client's node.
    pub client: String,
    /// Id of the server's node.
    pub server: String,
    /// The server's port.
    pub port: u16,
    /// Addresses that clients asked for in place of the server's.
    pub dialed: Vec<String>,
    /// Counted at the clients.
    pub client_view: Option<Counts>,
    /// Counted at the servers.
    pub server_view: Option<Counts>,
}

impl Edge {
    /// Checks that both ends were counted, alike, and exactly so.
    pub fn expect_both(&self, expected: &Counts) -> Result<()> {
        ensure!(
            self.client_view == Some(*expected) && self.server_view == Some(*expected),
            "expected on both views {expected:?}, found client {:?}, server {:?}",
            self.client_view,
            self.server_view
        );
        Ok(())
    }
}

/// The edge from one node to another at a port; there must be exactly one.
pub fn find(edges: &[Edge], client: &str, server: &str, port: u16) -> Result<Edge> {
    let found: Vec<&Edge> = edges
        .iter()
        .filter(|edge| edge.client == client && edge.server == server && edge.port == port)
        .collect();
    ensure!(
        found.len() == 1,
        "{} edges {client} → {server}:{port} among {edges:#?}",
        found.len()
    );
    Ok(found[0].clone())
}

/// All edges of a graph in JSON.
pub fn from_json(graph: &Value) -> Result<Vec<Edge>> {
    let edges = graph["edges"].as_array();
    edges
        .with_context(|| format!("no edges in {graph}"))?
        .iter()
        .map(edge_from_json)
        .collect()
}

fn edge_from_json(edge: &Value) -> Result<Edge> {
    let text = |name: &str| {
        edge[name]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("no {name} in {edge}"))
    };
    let port = edge["port"].as_u64().context("no port")?;
    Ok(Edge {
        id: text("id")?,
        client: text("client")?,
        server: text("server")?,
        port: u16::try_from(port)?,
        dialed: serde_json::from_value(edge["dialed"].clone())
            .with_context(|| format!("no list dialed in {edge}"))?,
        client_view: view_from_json(&edge["client_view"])?,
        server_view: view_from_json(&edge["server_view"])?,
    })
}

fn view_from_json(view: &Value) -> Result<Option<Counts>> {
    if view.is_null() {
        return Ok(None);
    }
    let count = |name: &str| {
        view[name]
            .as_u64()
            .with_context(|| format!("no count {name} in {view}"))
    };
    Ok(Some(Counts {
        opened: count("connections_opened")?,
        closed: count("connections_closed")?,
        failed: count("connections_failed")?,
        active: count("active")?,
        bytes_sent: count("bytes_sent")?,
        bytes_received: count("bytes_received")?,
    }))
}

/// All edges of a graph from gRPC.
pub fn from_proto(graph: &v1::Graph) -> Result<Vec<Edge>> {
    let counts = |view: &v1::EdgeView| Counts {
        opened: view.connections_opened,
        closed: view.connections_closed,
        failed: view.connections_failed,
        active: view.active,
        bytes_sent: view.bytes_sent,
        bytes_received: view.bytes_received,
    };
    let edge = |edge: &v1::Edge| {
        Ok(Edge {
            id: edge.id.clone(),
            client: edge.client.clone(),
            server: edge.server.clone(),
            port: u16::try_from(edge.port)?,
            dialed: edge.dialed.clone(),
            client_view: edge.client_view.as_ref().map(counts),
            server_view: edge.server_view.as_ref().map(counts),
        })
    };
    graph.edges.iter().map(edge).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_proto_become_the_same() {
        let view = json!({
            "connections_opened": 1, "connections_closed": 2, "connections_failed": 3,
            "active": 4, "bytes_sent": 5, "bytes_received": 6, "retransmits": 7,
        });
        let graph = json!({ "edges": [{
            "id": "ab", "client": "c", "server": "s", "protocol": "tcp", "port": 80, "dialed": ["10.96.0.1:80"],
            "client_view": view, "server_view": null,
        }] });
        let proto = v1::Graph {
            edges: vec![v1::Edge {
                id: "ab".to_owned(),
                client: "c".to_owned(),
                server: "s".to_owned(),
                port: 80,
                dialed: vec!["10.96.0.1:80".to_owned()],
                client_view: Some(v1::EdgeView {
                    connections_opened: 1,
                    connections_closed: 2,
                    connections_failed: 3,
                    active: 4,
                    bytes_sent: 5,
                    bytes_received: 6,
                    ..v1::EdgeView::default()
                }),
                ..v1::Edge::default()
            }],
            ..v1::Graph::default()
        };
        let edges = from_json(&graph).unwrap();
        assert_eq!(edges, from_proto(&proto).unwrap());
        assert!(find(&edges, "c", "s", 80).is_ok());
        assert!(find(&edges, "c", "s", 81).is_err());
        assert!(edges[0].expect_both(&Counts::default()).is_err());
    }
}
