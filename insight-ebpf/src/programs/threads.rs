//! A thread of the kernel, and the maps of threads and cgroups.

use core::ffi::c_void;
use core::intrinsics::{AtomicOrdering, atomic_xadd};
use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap};
use insight_ebpf::abi::{CgroupTotals, Missed, Seen, TaskOffsets};
use insight_ebpf::thread::{Maps, Thread};

use super::socket::{Reading, Typed, constant, load};

/// Set by the agent before loading; constants to the verifier.
#[unsafe(no_mangle)]
static TASKS: TaskOffsets = TaskOffsets {
    run_delay: 0,
    pcount: 0,
    start_boottime: 0,
    exit_state: 0,
    pid: 0,
    tgid: 0,
    signal: 0,
    oom_mm: 0,
    cgroups: 0,
    dfl_cgrp: 0,
};

/// When waiting began to be counted, nanoseconds since boot; set by the agent before loading.
#[unsafe(no_mangle)]
static WAITS_SINCE: u64 = 0;

/// What was counted of the threads in each cgroup. As many as the agent knows by name.
#[map]
static CGROUPS: HashMap<u64, CgroupTotals> = HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);

/// What was added already of each thread, by address. The agent makes it smaller where nobody asks for waiting.
#[map]
static THREADS: HashMap<u64, Seen> = HashMap::with_max_entries(131_072, BPF_F_NO_PREALLOC);

/// What found no room in these.
#[map]
static MISSED: Array<Missed> = Array::with_max_entries(1, 0);

/// `field!(thread, name, type)`: the field at its offset in the running kernel.
macro_rules! field {
    ($base:expr, $field:ident, $type:ty) => {
        Typed::field::<$type>($base.cast_const(), constant(&TASKS.$field))
    };
}

/// A `task_struct` that the verifier knows.
pub(super) struct KernelThread(*mut c_void);

impl KernelThread {
    #[inline(always)]
    pub(super) fn new(task: *mut c_void) -> Option<Self> {
        (!task.is_null()).then_some(Self(task))
    }

    /// Whether it is the last thread of a process that was chosen to be killed for want of memory: its first thread is freed last.
    #[inline(always)]
    pub(super) fn ends_a_victim(&self) -> bool {
        if field!(self.0, pid, i32) != field!(self.0, tgid, i32) {
            return false;
        }
        let signal = field!(self.0, signal, *mut c_void);
        !signal.is_null() && !field!(signal, oom_mm, *mut c_void).is_null()
    }
}

impl Thread for KernelThread {
    #[inline(always)]
    fn address(&self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    fn now(&self) -> Seen {
        Seen {
            born: field!(self.0, start_boottime, u64),
            waited: field!(self.0, run_delay, u64),
            runs: field!(self.0, pcount, u64),
        }
    }

    #[inline(always)]
    fn exit_state(&self) -> u32 {
        field!(self.0, exit_state, u32)
    }

    /// A dead thread keeps its cgroups until it is freed.
    #[inline(always)]
    fn cgroup(&self) -> u64 {
        let set = field!(self.0, cgroups, *mut c_void);
        if set.is_null() {
            return 0;
        }
        let cgroup = field!(set, dfl_cgrp, *mut c_void);
        if cgroup.is_null() {
            return 0;
        }
        let node = load!(Typed, cgroup, cgroup_kn, *mut c_void);
        if node.is_null() {
            return 0;
        }
        load!(Typed, node, kn_id, u64)
    }
}

/// The maps of this object.
pub(super) struct ThreadMaps;

impl Maps for ThreadMaps {
    #[inline(always)]
    fn seen(&self, thread: u64) -> Option<Seen> {
        // SAFETY: integers, of which a stale one is one, too.
        unsafe { THREADS.get(&thread) }.copied()
    }

    #[inline(always)]
    fn remember(&self, thread: u64, seen: &Seen) -> bool {
        if let Some(entry) = THREADS.get_ptr_mut(&thread) {
            // SAFETY: the entry is in the map until the thread is freed, and nobody else writes it before.
            unsafe { write_volatile(entry, *seen) };
            return true;
        }
        let has_room = THREADS.insert(&thread, seen, 0).is_ok();
        if !has_room {
            missed(|missed| &raw mut missed.threads);
        }
        has_room
    }

    #[inline(always)]
    fn forget(&self, thread: u64) {
        let _gone = THREADS.remove(&thread);
    }

    #[inline(always)]
    fn charge(&self, cgroup: u64, more: &CgroupTotals) {
        if let Some(totals) = CGROUPS.get_ptr_mut(&cgroup) {
            add(totals, more);
            return;
        }
        // Another CPU may have been faster; then there is an entry to add to.
        let _raced = CGROUPS.insert(&cgroup, &CgroupTotals::default(), u64::from(BPF_NOEXIST));
        match CGROUPS.get_ptr_mut(&cgroup) {
            Some(totals) => add(totals, more),
            None => missed(|missed| &raw mut missed.cgroups),
        }
    }
}

/// When waiting began to be counted.
#[inline(always)]
pub(super) fn since() -> u64 {
    // SAFETY: a reference is valid to read.
    unsafe { read_volatile(&raw const WAITS_SINCE) }
}

#[inline(always)]
fn missed(which: impl FnOnce(&mut Missed) -> *mut u64) {
    if let Some(missed) = MISSED.get_ptr_mut(0) {
        // SAFETY: the map's value, which is never freed; only its address is taken here.
        add_one(which(unsafe { &mut *missed }), 1);
    }
}

#[inline(always)]
fn add(totals: *mut CgroupTotals, more: &CgroupTotals) {
    // SAFETY: the pointer is to a map's value; only addresses are taken here.
    unsafe {
        add_one(&raw mut (*totals).waited, more.waited);
        add_one(&raw mut (*totals).runs, more.runs);
        add_one(&raw mut (*totals).oom_kills, more.oom_kills);
    }
}

/// Threads of one cgroup may end on several CPUs at once.
#[inline(always)]
fn add_one(counter: *mut u64, more: u64) {
    if more != 0 {
        // SAFETY: callers point into a map's value; the kernel keeps its memory until the program returns.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, more) };
    }
}
