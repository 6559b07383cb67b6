//! What Kubernetes says of pods, Services, nodes and their owners, now and a while ago.
//!
//! [`object`] is what is kept of one object of the API, [`index`] keeps them all and answers who was where at what time. Neither names the API's client:
//! both are tested by plain calls.

pub mod directory;
pub mod index;
pub mod object;
#[cfg(test)]
pub(crate) mod testing;

pub use directory::Directory;
pub use index::{Index, Stored, Watch, WorkloadName};
