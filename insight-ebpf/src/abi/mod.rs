//! What the kernel's maps hold and the agent reads: plain integers in `repr(C)`, nothing that could be invalid.
//!
//! Both sides are built from these files, and [`VERSION`] names the layout where it outlives a build.

mod flow;
mod offsets;
mod settings;
mod socket;

pub use flow::{FlowKey, FlowTotals, Overflow, PROTOCOL_TCP, ROLE_CLIENT, ROLE_SERVER};
pub use offsets::Offsets;
pub use settings::{PHASE_BASELINE, PHASE_COUNTING, SCOPE_ANY_LEVEL, SCOPE_MAX_LEVEL, Settings};
pub use socket::{LiveSocket, MARK_CLOSED, MARK_NEW, MARK_OLD};

/// Version of the layouts in this module; counts up whenever one of them changes.
pub const VERSION: u32 = 1;
