//! What is kept of threads and of the cgroups that they are in: waiting for a CPU, and being killed for want of memory.

/// Where the running kernel keeps the fields of threads; as [`super::Offsets`], by themselves because a kernel may lack some.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskOffsets {
    /// `task_struct.sched_info.run_delay`: nanoseconds that it waited for a CPU while it could have run
    pub run_delay: u32,
    /// `task_struct.sched_info.pcount`: how often it got one
    pub pcount: u32,
    /// `task_struct.start_boottime`
    pub start_boottime: u32,
    /// `task_struct.exit_state` (32 bits)
    pub exit_state: u32,
    /// `task_struct.pid`
    pub pid: u32,
    /// `task_struct.tgid`
    pub tgid: u32,
    /// `task_struct.signal`
    pub signal: u32,
    /// `signal_struct.oom_mm`: not null once the process was chosen to be killed for want of memory
    pub oom_mm: u32,
    /// `task_struct.cgroups`
    pub cgroups: u32,
    /// `css_set.dfl_cgrp`: its cgroup of v2
    pub dfl_cgrp: u32,
}

/// The map `THREADS`: what was added already of a thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// When it was made, nanoseconds since boot: a place in memory may belong to another thread by now.
    pub born: u64,
    /// Nanoseconds that it had waited for a CPU.
    pub waited: u64,
    /// How often it had got one.
    pub runs: u64,
}

/// The map `CGROUPS`: what was counted of the threads that were in a cgroup itself, cumulative for as long as the map lives.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupTotals {
    /// Nanoseconds that they waited for a CPU.
    pub waited: u64,
    /// How often they got one.
    pub runs: u64,
    /// Processes killed for want of memory.
    pub oom_kills: u64,
}

/// The map `MISSED`, one entry: what found no room.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Updates of a cgroup, lost.
    pub cgroups: u64,
    /// Readings of a thread: it is counted when it ends, if at all.
    pub threads: u64,
}

const _: () = {
    assert!(size_of::<TaskOffsets>() == 10 * 4);
    assert!(size_of::<Seen>() == 24);
    assert!(size_of::<CgroupTotals>() == 24);
    assert!(size_of::<Missed>() == 16);
};
