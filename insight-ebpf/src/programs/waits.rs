//! `waits` and `ends`: how long threads wait for a CPU; see `insight_ebpf::thread`. Nothing runs when the scheduler does.

use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use insight_ebpf::thread::{on_end, on_reading};

use super::threads::{KernelThread, ThreadMaps, since};

/// `struct bpf_iter__task`, kernel/bpf/task_iter.c
#[repr(C)]
struct Context {
    meta: *mut c_void,
    task: *mut c_void,
}

/// The kernel calls this for each thread, and once at the end without one.
#[unsafe(link_section = "iter/task")]
#[unsafe(no_mangle)]
extern "C" fn waits(context: *mut Context) -> i32 {
    // SAFETY: the kernel's context.
    let task = unsafe { read_volatile(&raw const (*context).task) };
    if let Some(thread) = KernelThread::new(task) {
        on_reading(&ThreadMaps, &thread, since());
    }
    0
}

/// `TP_PROTO(struct task_struct *p)`, include/trace/events/sched.h. In a softirq (RCU), after it ran for the last time.
#[btf_tracepoint(function = "sched_process_free")]
pub(crate) fn ends(context: BtfTracePointContext) -> i32 {
    if let Some(thread) = KernelThread::new(context.arg(0)) {
        on_end(&ThreadMaps, &thread, since());
    }
    0
}
