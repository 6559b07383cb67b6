//! What tells series of edges apart.

use std::collections::HashMap;

use insight_proto::v1;

/// Label of what has no room.
const OTHER: &str = "other";

/// Labels of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Labels {
    client: String,
    server: String,
    client_kind: String,
    server_kind: String,
    client_namespace: String,
    server_namespace: String,
    port: String,
    protocol: String,
}

impl Labels {
    /// Those of an edge whose ends are among `nodes`.
    pub(super) fn of(edge: &v1::Edge, nodes: &HashMap<&str, &v1::Node>) -> Self {
        let part = |id: &str, part: fn(&v1::Node) -> &String| {
            nodes
                .get(id)
                .map(|node| part(node).clone())
                .unwrap_or_default()
        };
        Self {
            client: part(&edge.client, |node| &node.name),
            server: part(&edge.server, |node| &node.name),
            client_kind: part(&edge.client, |node| &node.kind),
            server_kind: part(&edge.server, |node| &node.kind),
            client_namespace: part(&edge.client, |node| &node.namespace),
            server_namespace: part(&edge.server, |node| &node.namespace),
            port: edge.port.to_string(),
            protocol: edge.protocol.clone(),
        }
    }

    /// Those of what has no room.
    pub(super) fn other() -> Self {
        Self {
            client: OTHER.into(),
            server: OTHER.into(),
            client_kind: OTHER.into(),
            server_kind: OTHER.into(),
            client_namespace: String::new(),
            server_namespace: String::new(),
            port: String::new(),
            protocol: String::new(),
        }
    }

    /// Names and values.
    pub(super) fn pairs(&self) -> [(&str, &str); 8] {
        [
            ("client", &self.client),
            ("server", &self.server),
            ("client_kind", &self.client_kind),
            ("server_kind", &self.server_kind),
            ("client_namespace", &self.client_namespace),
            ("server_namespace", &self.server_namespace),
            ("port", &self.port),
            ("protocol", &self.protocol),
        ]
    }
}
