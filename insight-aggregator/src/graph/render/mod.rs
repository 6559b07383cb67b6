//! Graphs for people: a table for the terminal, DOT for Graphviz, Mermaid for documents.
//!
//! One line stands for both views of an edge. Connections and bytes are the server's where it was seen, for it sees what
//! arrived whoever the client is; failed connects are the client's, for a server does not see those.

mod columns;
mod diff;
mod dot;
mod mermaid;
mod table;
mod words;

#[cfg(test)]
mod tests;

pub use diff::diff;
pub use dot::dot;
pub use mermaid::mermaid;
pub use table::table;
pub use words::{full_name, names, one_line};
