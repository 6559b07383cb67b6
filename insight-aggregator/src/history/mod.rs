//! What Kubernetes said at any time that is kept: for the names of past graphs, and for what changed when.
//!
//! [`form`] is how objects and their changes are stored.

mod form;
#[cfg(test)]
mod testing;
