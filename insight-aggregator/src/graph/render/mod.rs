//! Graphs for people.

use insight_proto::v1;

/// A table for the terminal.
pub fn table(_graph: &v1::Graph) -> String {
    unimplemented!()
}

/// Graphviz's DOT.
pub fn dot(_graph: &v1::Graph) -> String {
    unimplemented!()
}

/// A Mermaid flowchart.
pub fn mermaid(_graph: &v1::Graph) -> String {
    unimplemented!()
}
