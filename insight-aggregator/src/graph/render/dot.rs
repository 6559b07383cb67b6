//! Graphviz's DOT.

use insight_proto::v1;

use super::words::{Cast, no_edges, one_line, summary, title};

/// A directed graph; every node's tooltip is its id.
pub fn dot(graph: &v1::Graph) -> String {
    let mut text = String::from("digraph insight {\n  rankdir=LR;\n  node [shape=box];\n");
    text.push_str(&format!("  label={};\n", quoted(&[&title(graph)])));
    if graph.edges.is_empty() {
        text.push_str(&format!(
            "  empty [shape=plaintext, label={}];\n",
            quoted(&[&no_edges(graph)])
        ));
    }
    let cast = Cast::of(graph);
    for (place, node) in cast.shown.iter().enumerate() {
        let shape = match &*node.kind {
            "external" => ", style=dashed",
            "ambiguous" => ", shape=diamond, style=dashed",
            "overflow" | "other" => ", shape=folder, style=dashed",
            "node" => ", shape=box3d",
            _ => "",
        };
        text.push_str(&format!(
            "  n{place} [label={}, tooltip={}{shape}];\n",
            quoted(&[&node.name]),
            quoted(&[&node.id])
        ));
    }
    for edge in &graph.edges {
        let [port, counts] = summary(edge);
        text.push_str(&format!(
            "  n{} -> n{} [label={}];\n",
            cast.place(&edge.client),
            cast.place(&edge.server),
            quoted(&[&port, &counts])
        ));
    }
    text.push_str("}\n");
    text
}

/// Lines of text as a quoted string of DOT, where a backslash starts an escape and only a quote ends the string.
fn quoted(lines: &[&str]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| one_line(line).replace('\\', "\\\\").replace('"', "\\\""))
        .collect();
    format!("\"{}\"", lines.join("\\n"))
}
