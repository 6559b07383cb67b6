//! Cgroups: who owns a flow, and what containers use.
//!
//! [`parse()`] names a path, [`proc_file`] names a process by its `/proc/<pid>/cgroup`, [`mount`] finds the hierarchies,
//! [`tree`] keeps cgroup id → owner, [`stats`] reads CPU and memory, [`charges`] has what the kernel's programs add.
//!
//! The key is the cgroup id: the inode number of the cgroup v2 directory, which the kernel also keeps in every socket.
//! It is not reused within a boot. `/proc/<pid>/cgroup` is not used for naming flows, because its paths are relative to
//! the reader's cgroup namespace and the process may be gone.

pub mod charges;
mod flat;
pub mod mount;
pub mod owner;
pub mod parse;
pub mod proc_file;
mod process;
#[cfg(test)]
mod properties;
mod remember;
pub mod stats;
pub mod token;
pub mod tree;
mod v1;
mod v2;
mod walk;

pub use charges::Charges;
pub use mount::Mounts;
pub use parse::{Identity, Level, parse};
pub use stats::{Sample, Stats};
pub use tree::Tree;
