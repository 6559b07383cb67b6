//! What the agent tells the programs.

/// Constant while the programs are loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Id of the cgroup below which sockets are counted.
    pub scope_cgroup: u64,
    /// Depth of that cgroup; 0, the root, counts every socket and costs no check.
    pub scope_level: u32,
    /// Always 0.
    pub padding: u32,
}

/// Value of the map `PHASE` while the agent learns what open sockets had moved before it started.
pub const PHASE_BASELINE: u32 = 1;
/// Value of the map `PHASE` afterwards.
pub const PHASE_COUNTING: u32 = 0;

const _: () = assert!(size_of::<Settings>() == 16);
