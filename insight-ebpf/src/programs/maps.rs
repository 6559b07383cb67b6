//! The maps, and the logic's view of them.

use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, RingBuf};
use core::intrinsics::{AtomicOrdering, atomic_xadd};
use insight_ebpf::abi::{
    BUCKETS, FlowKey, FlowTotals, Histogram, Moved, Overflow, PHASE_BASELINE, State, Watermark,
    bucket,
};
use insight_ebpf::flow::{Maps, Turns, Update};

/// Room for flows; the agent sets it from `--max-flows`. Preallocated: an entry must never fail for want of memory in an interrupt.
#[map]
static FLOWS: HashMap<FlowKey, FlowTotals> = HashMap::with_max_entries(65_536, 0);

/// Zeroes, as a new flow begins: too many for the stack. Nobody writes it.
#[map]
static EMPTY: Array<FlowTotals> = Array::with_max_entries(1, 0);

/// What found no room in `FLOWS`.
#[map]
static OVERFLOW: Array<Overflow> = Array::with_max_entries(1, 0);

/// Keys of new flows, so that a new edge need not wait for the interval. If it is full, the interval brings the flow.
#[map]
static NEW_FLOWS: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);

/// Cgroups as they are made; 240 between two looks of the agent.
#[map]
pub(super) static BIRTHS: RingBuf = RingBuf::with_byte_size(128 * 1024, 0);

/// `PHASE_BASELINE` or `PHASE_COUNTING`.
#[map]
static PHASE: Array<u32> = Array::with_max_entries(1, 0);

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
static BASELINE: HashMap<FlowKey, Moved> = HashMap::with_max_entries(131_072, BPF_F_NO_PREALLOC);

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

/// Answer of [`Maps::mark`] when there is no room: neither unmarked nor any mark.
const NO_ROOM: u8 = u8::MAX;

/// The maps of this object.
pub(super) struct KernelMaps;

impl Maps for KernelMaps {
    #[inline(always)]
    fn add(&self, key: &FlowKey, more: &Update) -> bool {
        let Some(totals) = FLOWS.get_ptr_mut(key) else {
            return false;
        };
        add(totals, more);
        true
    }

    #[inline(always)]
    fn insert(&self, key: &FlowKey) -> bool {
        let Some(empty) = EMPTY.get(0) else {
            return false;
        };
        FLOWS.insert(key, empty, u64::from(BPF_NOEXIST)).is_ok()
    }

    #[inline(always)]
    fn contains(&self, key: &FlowKey) -> bool {
        FLOWS.get_ptr(key).is_some()
    }

    #[inline(always)]
    fn overflow(&self, more: &Update) {
        if let Some(lost) = OVERFLOW.get_ptr_mut(0) {
            // SAFETY: the pointer is to the map's value, which is never freed.
            unsafe {
                add_one(&raw mut (*lost).updates, 1);
                add(&raw mut (*lost).totals, more);
            }
        }
    }

    #[inline(always)]
    fn announce(&self, key: &FlowKey) {
        let _full = NEW_FLOWS.output::<FlowKey>(key, 0);
    }

    #[inline(always)]
    fn taking_baseline(&self) -> bool {
        PHASE.get(0).is_some_and(|phase| *phase == PHASE_BASELINE)
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
unsafe fn add_one(counter: *mut u64, more: u64) {
    if more != 0 {
        // SAFETY: as the caller promises.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, more) };
    }
}
