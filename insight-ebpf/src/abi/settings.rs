//! What the agent tells the programs.

/// Constant while the programs are loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Id of the cgroup below which sockets are counted.
    pub scope_cgroup: u64,
    /// Depth of that cgroup; 0, the root, counts every socket and costs no check; [`SCOPE_ANY_LEVEL`] looks at all ancestors.
    pub scope_level: u32,
    /// 1 where `steady` runs before `life`: in kernels that may preempt a tracepoint's programs.
    pub steady_runs: u32,
    /// CPUs that there may be: where the places of processes begin in the map `TURNS`.
    pub cpus: u32,
    /// Bits of an IPv4 client's address that are kept where it is outside of the cluster.
    pub prefix_v4: u8,
    /// The same for IPv6.
    pub prefix_v6: u8,
    /// [`UDP_OFF`], [`UDP_EDGES`] or [`UDP_BYTES`].
    pub udp: u16,
    /// When the programs were loaded, nanoseconds of CLOCK_MONOTONIC.
    pub loaded_ns: u64,
}

/// [`Settings::udp`]: UDP is not looked at.
pub const UDP_OFF: u16 = 0;
/// [`Settings::udp`]: who talks to whom.
pub const UDP_EDGES: u16 = 1;
/// [`Settings::udp`]: datagrams and bytes, too.
pub const UDP_BYTES: u16 = 2;

/// [`Settings::scope_level`] where the depth cannot be known: in a cgroup namespace.
pub const SCOPE_ANY_LEVEL: u32 = u32::MAX;
/// Ancestors that are looked at then. Pods are at most 8 deep, also in clusters within clusters.
pub const SCOPE_MAX_LEVEL: u32 = 16;

/// Places of processes in the map `TURNS`, where `steady` runs. Two processes with one place are seldom between two programs at once.
pub const TURNS_OF_PROCESSES: u32 = 4_096;

const _: () = assert!(size_of::<Settings>() == 32);
