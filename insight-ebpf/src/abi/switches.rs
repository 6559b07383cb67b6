//! The map `SWITCHES`: numbers that agent and programs tell each other while they run, one an index.

/// [`PHASE_BASELINE`], [`PHASE_COUNTING`] or [`PHASE_NO_BASELINE`]; written by the agent.
pub const SWITCH_PHASE: u32 = 0;
/// Second entries that programs have made, [`super::FlowKey::generation`]; written by the programs.
pub const SWITCH_SPARES_MADE: u32 = 1;
/// How many of them are known to be gone; written by the agent. While the two differ, there may be some.
pub const SWITCH_SPARES_GONE: u32 = 2;
/// 1 while the map `RANGES` has the cluster's ranges, and clients outside of them are counted by prefix; written by the agent.
pub const SWITCH_WIDENS: u32 = 3;
/// Events that went to a catch-all entry, because the map `FLOWS` was full; written by the programs.
pub const SWITCH_OVERFLOWED: u32 = 4;
/// How many there are.
pub const SWITCHES: u32 = 5;

/// The agent learns what open sockets had moved before it started.
pub const PHASE_BASELINE: u64 = 1;
/// Afterwards.
pub const PHASE_COUNTING: u64 = 0;
/// The same where nobody can tell which sockets are older than the counting.
pub const PHASE_NO_BASELINE: u64 = 2;

/// A range in the map `RANGES`: addresses are counted each by itself.
pub const RANGE_INSIDE: u8 = 1;
/// An exception in it: an address that was outside when a connection opened that is open still.
pub const RANGE_OUTSIDE: u8 = 2;

/// Flows that are retired at once at most: room in the map `RETIRING`.
pub const RETIRING: u32 = 4_096;
