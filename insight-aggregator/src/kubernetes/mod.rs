//! What Kubernetes says of pods, Services, nodes and their owners, now and a while ago.
//!
//! [`object`] is what is kept of one object of the API, [`index`] keeps them all and answers who was where at what time. Neither names the API's client:
//! both are tested by plain calls. [`convert`] makes objects of what the API gives, [`watch`] asks the API server for them, with no more than the [`rights`].

pub mod convert;
pub mod directory;
pub mod hearing;
pub mod index;
pub mod object;
pub mod rights;
#[cfg(test)]
pub(crate) mod testing;
pub mod watch;

pub use directory::{Directory, Listener};
pub use hearing::{Hearing, Stale};
pub use index::{Change, Index, Stored, Unrecorded, Watch, WorkloadName};
