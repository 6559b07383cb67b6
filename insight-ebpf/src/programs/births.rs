//! `births`: runs when a cgroup is made, so that a container that lives for a moment still has a name.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use insight_ebpf::abi::{BIRTH_PATH, Birth};

use super::maps::BIRTHS;
use super::socket::{Typed, load};

/// `TP_PROTO(struct cgroup *cgrp, const char *path)`, include/trace/events/cgroup.h.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub(crate) fn births(context: BtfTracePointContext) -> i32 {
    let cgroup: *mut c_void = context.arg(0);
    if cgroup.is_null() {
        return 0;
    }
    let root = load!(Typed, cgroup, cgroup_root, *mut c_void);
    // Cgroups of v1 have ids of their own, which mean nothing to sockets.
    if root.is_null() || load!(Typed, root, hierarchy_id, i32) != 0 {
        return 0;
    }
    let node = load!(Typed, cgroup, cgroup_kn, *mut c_void);
    if node.is_null() {
        return 0;
    }
    let id = load!(Typed, node, kn_id, u64);
    let path: *const c_void = context.arg(1);
    // Without room the agent walks the tree, as it does without this program.
    if let Some(mut entry) = BIRTHS.reserve::<Birth>(0) {
        let birth = entry.as_mut_ptr();
        // SAFETY: the entry is as long as the record, and the helper answers an error instead of a fault.
        unsafe {
            (*birth).cgroup = id;
            (*birth).length =
                bpf_probe_read_kernel_str((&raw mut (*birth).path).cast(), BIRTH_PATH as u32, path);
        }
        entry.submit(0);
    }
    0
}
