//! Resources and relations for Graphviz.

use super::annotations::best_label;
use super::graph::Graph;
use super::legacy::Called;
use super::render::{relations_in_order, resources_in_order};
use super::select::Selection;

/// `digraph{NODES;EDGES}`.
pub(super) fn dot(graph: &Graph<'_>, selection: &Selection, called: &[Called]) -> String {
    let mut lines = Vec::new();
    for place in resources_in_order(selection, called) {
        let resource = &graph.resources[place];
        let label = format!("{}:{}", resource.kind, best_label(resource));
        lines.push(format!(
            "{}[label={},color={}]",
            quoted(&called[place].id),
            quoted(&label),
            color(&resource.kind)
        ));
    }
    for relation in relations_in_order(graph, selection, called) {
        lines.push(format!(
            "{}->{}[label={}]",
            quoted(&called[relation.source].id),
            quoted(&called[relation.target].id),
            quoted(relation.kind.as_str())
        ));
    }

    format!("digraph{{{}}}", lines.join(";"))
}

/// As Cluster Insight coloured them.
fn color(kind: &str) -> &'static str {
    match kind {
        "Node" => "red",
        "Service" => "darkgreen",
        "ReplicationController" => "purple",
        "Pod" => "blue",
        "Container" => "green",
        "Process" => "gold",
        "Image" => "maroon",
        _ => "black",
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
