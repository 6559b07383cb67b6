//! The end of a flow becomes who it was.
//!
//! The measured end is named by its owner's cgroup ([`entity`]), so it is right even where many share an address. The
//! far end is only an address; who that was is decided when a graph is read, see [`crate::graph`]. [`scope_of`] says how
//! far an address can be trusted to mean one thing.

mod entity;
mod scope;

pub use entity::{entity, overflow};
pub use scope::{is_local_only, scope, scope_of};
