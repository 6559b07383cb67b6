//! One edge of a graph with its two nodes.

use insight_proto::{json, v1};
use serde_json::{Value, json};

use crate::model::Level;

/// Where an edge is looked for when no level is named, the default level first: most ids come from a graph of that one. An edge whose ends are
/// the same at two levels has the same id and the same counts at both.
pub fn searched() -> Vec<Level> {
    let first = Level::default();
    let others = Level::ALL.into_iter().filter(|level| *level != first);
    std::iter::once(first).chain(others).collect()
}

/// The graph cut down to one edge and its nodes; nothing if the edge is not in it.
pub fn only_edge(mut graph: v1::Graph, id: &str) -> Option<v1::Graph> {
    graph.edges.retain(|edge| edge.id == id);
    let edge = graph.edges.first()?;
    graph
        .nodes
        .retain(|node| node.id == edge.client || node.id == edge.server);
    Some(graph)
}

/// The JSON of a graph with one edge: `{"edge", "client", "server", "from", "to", "level", "complete", "gaps"}`, where
/// client and server are nodes.
pub fn describe(graph: &v1::Graph) -> Value {
    let mut parts = json::graph(graph);
    let nodes = parts["nodes"].take();
    let edge = parts["edges"][0].take();
    let node = |end: &str| {
        let found = nodes.as_array().and_then(|nodes| {
            let node = nodes.iter().find(|node| node["id"] == edge[end]);
            node.cloned()
        });
        found.unwrap_or(Value::Null)
    };
    json!({
        "client": node("client"),
        "server": node("server"),
        "edge": edge,
        "from": parts["from"],
        "to": parts["to"],
        "level": parts["level"],
        "complete": parts["complete"],
        "gaps": parts["gaps"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_comes_with_its_two_nodes() {
        let node = |id: &str| v1::Node {
            id: id.into(),
            ..v1::Node::default()
        };
        let edge = |id: &str, client: &str, server: &str| v1::Edge {
            id: id.into(),
            client: client.into(),
            server: server.into(),
            ..v1::Edge::default()
        };
        let graph = v1::Graph {
            level: "workload".into(),
            nodes: vec![node("a"), node("b"), node("c")],
            edges: vec![edge("1", "a", "b"), edge("2", "c", "a")],
            ..v1::Graph::default()
        };
        assert!(only_edge(graph.clone(), "3").is_none());
        let described = describe(&only_edge(graph, "2").unwrap());
        assert_eq!(described["edge"]["id"], "2");
        assert_eq!(described["client"]["id"], "c");
        assert_eq!(described["server"]["id"], "a");
        assert_eq!(described["level"], "workload");
    }
}
