//! `victims`, or `reaped` in its place: processes that are killed for want of memory, by cgroup.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use insight_ebpf::abi::CgroupTotals;
use insight_ebpf::thread::{Maps, Thread};

use super::threads::{KernelThread, ThreadMaps};

/// `TP_PROTO(struct task_struct *task, uid_t uid)`, include/trace/events/oom.h. Older kernels tell a number instead of the task.
#[btf_tracepoint(function = "mark_victim")]
pub(crate) fn victims(context: BtfTracePointContext) -> i32 {
    if let Some(thread) = KernelThread::new(context.arg(0)) {
        count(&thread);
    }
    0
}

/// There: what is killed is freed some time.
#[btf_tracepoint(function = "sched_process_free")]
pub(crate) fn reaped(context: BtfTracePointContext) -> i32 {
    if let Some(thread) = KernelThread::new(context.arg(0))
        && thread.ends_a_victim()
    {
        count(&thread);
    }
    0
}

#[inline(always)]
fn count(thread: &KernelThread) {
    let one = CgroupTotals {
        oom_kills: 1,
        ..CgroupTotals::default()
    };
    ThreadMaps.charge(thread.cgroup(), &one);
}
