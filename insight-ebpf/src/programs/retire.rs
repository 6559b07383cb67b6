//! `retire`: the agent runs it over a list of flows; the entries of these take nothing more from then on.
//!
//! An entry cannot be removed while a program may hold a pointer to it: what that one adds would be lost, or go to another flow. So it is
//! retired first, and removed by the agent when every program that can have found it before has ended.

use core::ffi::c_void;
use core::ptr::{read_volatile, write_volatile};

use insight_ebpf::abi::FlowKey;

use super::maps::{FLOWS, RETIRING};

/// `struct bpf_iter__bpf_map_elem`, kernel/bpf/map_iter.c
#[repr(C)]
struct Context {
    meta: *mut c_void,
    map: *mut c_void,
    key: *const FlowKey,
    value: *mut c_void,
}

/// The kernel calls this for each entry of the list, and once at the end without one.
#[unsafe(link_section = "iter/bpf_map_elem")]
#[unsafe(no_mangle)]
extern "C" fn retire(context: *mut Context) -> i32 {
    // The list is not used but through the context; the object must have it.
    let _list = &RETIRING;
    // SAFETY: the kernel's context. The pointer is loaded once: a second load is a new, unchecked one to the verifier.
    let key = unsafe { read_volatile(&raw const (*context).key) };
    if key.is_null() {
        return 0;
    }
    // SAFETY: the key of an entry of the list, which stays while the program runs.
    let key = unsafe { read_volatile(key) };
    if let Some(entry) = FLOWS.get_ptr_mut(&key) {
        // SAFETY: a value of the map, which stays while the program runs.
        unsafe { write_volatile(&raw mut (*entry).retired, 1) };
    }
    0
}
