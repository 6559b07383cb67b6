//! Rows of a time range become the dependency graph.
