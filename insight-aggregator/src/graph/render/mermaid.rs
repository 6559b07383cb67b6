//! A Mermaid flowchart.

use insight_proto::v1;

use super::words::{Cast, no_edges, one_line, summary, title};

/// A flowchart from left to right.
pub fn mermaid(graph: &v1::Graph) -> String {
    let mut text = format!("flowchart LR\n  %% {}\n", escaped(&title(graph)));
    if graph.edges.is_empty() {
        text.push_str(&format!("  empty[\"{}\"]\n", escaped(&no_edges(graph))));
    }
    let cast = Cast::of(graph);
    for (place, node) in cast.shown.iter().enumerate() {
        let (open, close) = match &*node.kind {
            "external" => ("([", "])"),
            "ambiguous" => ("{{", "}}"),
            "node" => ("[[", "]]"),
            "overflow" | "other" => ("[/", "/]"),
            _ => ("[", "]"),
        };
        text.push_str(&format!(
            "  n{place}{open}\"{}\"{close}\n",
            escaped(&node.name)
        ));
    }
    for edge in &graph.edges {
        let [port, counts] = summary(edge);
        text.push_str(&format!(
            "  n{} -->|\"{}<br/>{}\"| n{}\n",
            cast.place(&edge.client),
            escaped(&port),
            escaped(&counts),
            cast.place(&edge.server)
        ));
    }
    text
}

/// Text inside quotes. Mermaid reads quotes, HTML, Markdown (also a number and a full stop at the start), directives and
/// its own `#…;` codes there; all but plain characters are written as such codes, which it shows as they were.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in one_line(text).chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | '.' | ',' | ':' | '/' | '-' | '…') {
            out.push(c);
        } else {
            out.push_str(&format!("#{};", u32::from(c)));
        }
    }
    out
}
