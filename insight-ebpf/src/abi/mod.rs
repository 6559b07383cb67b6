//! What the kernel's maps hold and the agent reads: plain integers in `repr(C)`, nothing that could be invalid.
//!
//! Both sides are built from these files, and [`VERSION`] names the layout where it outlives a build: in the path of the pinned
//! maps. An agent reports what another version has left only if its entries have the same sizes, so a change of meaning must change a size.

mod birth;
mod conversation;
mod dialed;
mod flow;
mod offsets;
mod settings;
mod socket;
mod state;
mod switches;
mod task;

pub use birth::{BIRTH_PATH, Birth};
pub use conversation::{Conversation, Peer, Talk, WINDOW_NS};
pub use dialed::{Address, DIALED_PLACES, DialedKey};
pub use flow::{
    BUCKETS, Baseline, FlowEntry, FlowKey, FlowTotals, Histogram, Moved, PROTOCOL_TCP,
    PROTOCOL_UDP, ROLE_CLIENT, ROLE_SERVER, ROLE_UNKNOWN_LOCAL, ROLE_UNKNOWN_REMOTE, bucket,
};
pub use offsets::Offsets;
pub use settings::{
    SCOPE_ANY_LEVEL, SCOPE_MAX_LEVEL, Settings, TURNS_OF_PROCESSES, UDP_BYTES, UDP_EDGES, UDP_OFF,
};
pub use socket::{LiveSocket, MARK_CLOSED, MARK_NEW, MARK_OLD};
pub use state::{State, Watermark};
pub use switches::{
    PHASE_BASELINE, PHASE_COUNTING, PHASE_NO_BASELINE, RANGE_INSIDE, RANGE_OUTSIDE, RETIRING,
    SWITCH_OVERFLOWED, SWITCH_PHASE, SWITCH_SPARES_GONE, SWITCH_SPARES_MADE, SWITCH_WIDENS,
    SWITCHES,
};
pub use task::{CgroupTotals, Missed, Seen, TaskOffsets};

/// Version of the layouts in this module and of what the programs count; counts up whenever one of them changes, because programs
/// that are pinned go on running under a new agent of the same version.
pub const VERSION: u32 = 5;
