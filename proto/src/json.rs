//! The graph's JSON: the same from HTTP and from the command line.

use serde_json::Value;

use crate::v1;

/// A graph.
pub fn graph(_graph: &v1::Graph) -> Value {
    unimplemented!()
}

/// One edge.
pub fn edge(_edge: &v1::Edge) -> Value {
    unimplemented!()
}

/// Changes to a graph.
pub fn delta(_delta: &v1::GraphDelta) -> Value {
    unimplemented!()
}

/// Two moments compared.
pub fn diff(_diff: &v1::GraphDiff) -> Value {
    unimplemented!()
}
