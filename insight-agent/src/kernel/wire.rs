//! The kernel side's types, for aya.

use aya::Pod;
use insight_ebpf::abi::{
    Address, DialedKey, FlowEntry, FlowKey, Missed, Offsets, Settings, State, TaskOffsets,
};

/// Lets aya copy the kernel side's types, which are integers in `repr(C)` without hidden padding.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Wire<T>(pub(super) T);

macro_rules! wire {
    ($($type:ty),*) => { $(
        #[expect(unsafe_code, reason = "a promise about the layout")]
        // SAFETY: integers only, explicit padding, size asserted where it is declared.
        unsafe impl Pod for Wire<$type> {}
    )* };
}
wire!(
    Address,
    DialedKey,
    Offsets,
    TaskOffsets,
    Settings,
    FlowKey,
    FlowEntry,
    Missed,
    State
);
