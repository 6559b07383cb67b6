//! The maps, and the logic's view of them.

use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::{Key, LpmTrie};
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};
use core::intrinsics::{AtomicOrdering, atomic_xadd};
use core::ptr::{read_volatile, write_volatile};
use insight_ebpf::abi::{
    self, BUCKETS, Baseline, FlowEntry, FlowKey, FlowTotals, Histogram, PHASE_BASELINE,
    RANGE_INSIDE, SWITCH_OVERFLOWED, SWITCH_PHASE, SWITCH_SPARES_GONE, SWITCH_SPARES_MADE,
    SWITCH_WIDENS, State, Watermark, bucket,
};
use insight_ebpf::flow::{Found, Maps, Turns, Update};

use super::socket::SETTINGS;

/// Room for flows; the agent sets it from `--max-flows`. Preallocated: an entry must never fail for want of memory in an interrupt.
#[map]
pub(super) static FLOWS: HashMap<FlowKey, FlowEntry> = HashMap::with_max_entries(65_536, 0);

/// Flows that are idle, for the program `retire`. This map is the agent's own.
#[map]
pub(super) static RETIRING: HashMap<FlowKey, u8> =
    HashMap::with_max_entries(abi::RETIRING, BPF_F_NO_PREALLOC);

/// A new flow, by CPU: too large for the stack.
#[map]
static EMPTY: PerCpuArray<FlowEntry> = PerCpuArray::with_max_entries(1, 0);

/// The cluster's address ranges, by IPv6 prefix; IPv4 as `::ffff:a.b.c.d`.
#[map]
static RANGES: LpmTrie<[u32; 4], u8> = LpmTrie::with_max_entries(16_384, BPF_F_NO_PREALLOC);

/// What agent and programs tell each other.
#[map]
static SWITCHES: Array<u64> = Array::with_max_entries(abi::SWITCHES, 0);

/// Keys of new flows, so that a new edge need not wait for the interval. If it is full, the interval brings the flow.
#[map]
static NEW_FLOWS: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);

/// Cgroups as they are made; 240 between two looks of the agent.
#[map]
pub(super) static BIRTHS: RingBuf = RingBuf::with_byte_size(128 * 1024, 0);

/// Sockets met while the baseline is taken; empty afterwards. A node has seldom more open connections than this; beyond it, what
/// an old connection had moved before the start is counted too.
#[map]
static MARKS: HashMap<u64, u8> = HashMap::with_max_entries(131_072, BPF_F_NO_PREALLOC);

/// Whose counts these are. This map and the next two are the agent's own: no program uses them, but they outlive it with the others.
#[map]
static STATE: Array<State> = Array::with_max_entries(1, 0);

/// How much of each flow was reported. The agent sets its size.
#[map]
static WATERMARKS: HashMap<FlowKey, Watermark> =
    HashMap::with_max_entries(131_072, BPF_F_NO_PREALLOC);

/// What each flow's open connections had moved before counting began. The agent sets its size.
#[map]
static BASELINE: HashMap<FlowKey, Baseline> = HashMap::with_max_entries(131_072, BPF_F_NO_PREALLOC);

/// Notes of the programs on one hook for each other, by place; the agent sets how many there are.
#[map]
static TURNS: Array<Turns> = Array::with_max_entries(1, 0);

/// The notes at a place; `None` if there is no such place.
#[inline(always)]
pub(super) fn turns(place: u32) -> Option<&'static mut Turns> {
    let turns = TURNS.get_ptr_mut(place)?;
    // SAFETY: a value of the map, which is never freed. Programs of ours that read and write it at the same time do so in whole words,
    // and expect it.
    Some(unsafe { &mut *turns })
}

/// What the agent is doing; see [`insight_ebpf::abi::PHASE_COUNTING`] and the like.
#[inline(always)]
pub(super) fn phase() -> u64 {
    switch(SWITCH_PHASE)
}

/// Answer of [`Maps::mark`] when there is no room: neither unmarked nor any mark.
const NO_ROOM: u8 = u8::MAX;

/// The maps of this object.
pub(super) struct KernelMaps;

impl Maps for KernelMaps {
    type Entry = *mut FlowEntry;

    #[inline(always)]
    fn find(&self, key: &FlowKey) -> Found<*mut FlowEntry> {
        let Some(entry) = FLOWS.get_ptr_mut(key) else {
            return Found::Missing;
        };
        // SAFETY: the pointer is to a map's value; the kernel keeps its memory until the program returns.
        if unsafe { read_volatile(&raw const (*entry).retired) } != 0 {
            return Found::Retired;
        }
        Found::Live(entry)
    }

    #[inline(always)]
    fn insert(&self, key: &FlowKey) -> bool {
        let Some(empty) = EMPTY.get_ptr_mut(0) else {
            return false;
        };
        // SAFETY: this CPU's value of the map. What interrupts us writes its own time there, and both are births.
        unsafe {
            (*empty).born = bpf_ktime_get_ns();
            FLOWS.insert(key, &*empty, u64::from(BPF_NOEXIST)).is_ok()
        }
    }

    #[inline(always)]
    fn add(&self, entry: *mut FlowEntry, more: &Update) {
        // SAFETY: as in `find`.
        add(unsafe { &raw mut (*entry).totals }, more);
        if more.client_port != 0 {
            // SAFETY: as in `find`.
            unsafe { write_volatile(&raw mut (*entry).last_port, more.client_port.into()) };
        }
    }

    #[inline(always)]
    fn has_spares(&self) -> bool {
        switch(SWITCH_SPARES_MADE) != switch(SWITCH_SPARES_GONE)
    }

    #[inline(always)]
    fn count_spare(&self) {
        count(SWITCH_SPARES_MADE);
    }

    #[inline(always)]
    fn count_overflow(&self) {
        count(SWITCH_OVERFLOWED);
    }

    #[inline(always)]
    fn widens(&self) -> bool {
        switch(SWITCH_WIDENS) != 0
    }

    #[inline(always)]
    fn is_outside(&self, address: &[u32; 4]) -> bool {
        // A shared reference into the trie: values are replaced, never changed.
        RANGES
            .get(&Key::new(128, *address))
            .is_none_or(|range| *range != RANGE_INSIDE)
    }

    #[inline(always)]
    fn prefix(&self, is_v4: bool) -> u8 {
        // SAFETY: reads a static.
        unsafe {
            if is_v4 {
                read_volatile(&raw const SETTINGS.prefix_v4).wrapping_add(96)
            } else {
                read_volatile(&raw const SETTINGS.prefix_v6)
            }
        }
    }

    #[inline(always)]
    fn announce(&self, key: &FlowKey) {
        let _full = NEW_FLOWS.output::<FlowKey>(key, 0);
    }

    #[inline(always)]
    fn taking_baseline(&self) -> bool {
        phase() == PHASE_BASELINE
    }

    #[inline(always)]
    fn mark(&self, socket: u64, mark: u8) -> u8 {
        if MARKS.insert(&socket, &mark, u64::from(BPF_NOEXIST)).is_ok() {
            return 0;
        }
        // SAFETY: entries are deleted only after the baseline was taken, and a stale byte is still a byte.
        unsafe { MARKS.get(&socket) }.map_or(NO_ROOM, |mark| *mark)
    }

    #[inline(always)]
    fn remark(&self, socket: u64, mark: u8) {
        let _no_room = MARKS.insert(&socket, &mark, 0);
    }
}

#[inline(always)]
fn switch(index: u32) -> u64 {
    SWITCHES.get(index).copied().unwrap_or(0)
}

#[inline(always)]
fn count(index: u32) {
    if let Some(counter) = SWITCHES.get_ptr_mut(index) {
        // SAFETY: the pointer is to the map's value, which is never freed.
        unsafe { add_one(counter, 1) };
    }
}

#[inline(always)]
fn add(totals: *mut FlowTotals, more: &Update) {
    // SAFETY: the pointer is to a map's value, checked for null; the kernel keeps its memory until the program returns.
    unsafe {
        add_one(&raw mut (*totals).opened, more.opened);
        add_one(&raw mut (*totals).closed, more.closed);
        add_one(&raw mut (*totals).bytes_sent, more.bytes_sent);
        add_one(&raw mut (*totals).bytes_received, more.bytes_received);
        add_one(&raw mut (*totals).retransmits, more.retransmits);
        add_one(&raw mut (*totals).failed_refused, more.failed_refused);
        add_one(&raw mut (*totals).failed_timed_out, more.failed_timed_out);
        add_one(
            &raw mut (*totals).failed_unreachable,
            more.failed_unreachable,
        );
        add_one(&raw mut (*totals).failed_other, more.failed_other);
        add_one(&raw mut (*totals).resets, more.resets);
        add_one(
            &raw mut (*totals).bytes_retransmitted,
            more.bytes_retransmitted,
        );
        add_one(&raw mut (*totals).syn_retransmits, more.syn_retransmits);
        add_one(&raw mut (*totals).messages_sent, more.messages_sent);
        add_one(&raw mut (*totals).messages_received, more.messages_received);
        add_time(&raw mut (*totals).rtt, more.rtt_us);
        add_time(&raw mut (*totals).connect, more.connect_us);
    }
}

/// # Safety
/// `histogram` points into a map's value.
#[inline(always)]
unsafe fn add_time(histogram: *mut Histogram, us: u32) {
    if us != 0 {
        // The mask is for the verifier.
        let place = bucket(us) & (BUCKETS - 1);
        // SAFETY: within the histogram; otherwise as the caller promises.
        unsafe {
            let counter = histogram.cast::<u32>().add(place);
            atomic_xadd::<u32, u32, { AtomicOrdering::Relaxed }>(counter, 1);
        }
    }
}

/// Two CPUs may close connections of one flow at once, so additions are atomic; nothing is added where there is nothing to add.
///
/// # Safety
/// `counter` points to a u64 of a map's value.
#[inline(always)]
pub(super) unsafe fn add_one(counter: *mut u64, more: u64) {
    if more != 0 {
        // SAFETY: as the caller promises.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, more) };
    }
}
