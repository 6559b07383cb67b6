//! `steady`, `life` and `missed`: run when a TCP socket changes its state; see `insight_ebpf::flow::Turns` for why there are several.

use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_smp_processor_id};
use aya_ebpf::macros::{btf_tracepoint, tracepoint};
use aya_ebpf::programs::{BtfTracePointContext, TracePointContext};
use insight_ebpf::abi::TURNS_OF_PROCESSES;
use insight_ebpf::flow::{self, Change, on_state_change};

use super::maps::{KernelMaps, turns};
use super::socket::{KernelSocket, Probed, SETTINGS, Typed};

/// Attached before the others, where they can be preempted: the kernel calls programs of this kind with preemption off.
#[tracepoint]
pub(crate) fn steady(context: TracePointContext) -> i32 {
    let Some((sk, old, new)) = read(&context) else {
        return 0;
    };
    if !flow::matters(old, new) {
        return 0;
    }
    if let Some(socket) = KernelSocket::<Probed>::at(sk) {
        on_state_change(&KernelMaps, &socket, old, new);
    }
    leave_note(sk, new);
    0
}

/// Counts every change that matters, unless it is running on this CPU already.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn life(context: BtfTracePointContext) -> i32 {
    let Some((sk, old, new)) = matters(&context) else {
        return 0;
    };
    if setting(&raw const SETTINGS.steady_runs) != 0 && noted(sk as u64, new, false) {
        return 0;
    }
    count(sk, old, new);
    leave_note(sk as u64, new);
    0
}

/// Attached after `life`: counts the changes that were missed.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn missed(context: BtfTracePointContext) -> i32 {
    let Some((sk, old, new)) = matters(&context) else {
        return 0;
    };
    if !noted(sk as u64, new, true) {
        count(sk, old, new);
    }
    0
}

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)`, include/trace/events/sock.h. Six of ten changes in a
/// connection's life do not matter.
#[inline(always)]
fn matters(context: &BtfTracePointContext) -> Option<(*mut c_void, i32, i32)> {
    let (old, new): (i32, i32) = (context.arg(1), context.arg(2));
    if !flow::matters(old, new) {
        return None;
    }
    let sk: *mut c_void = context.arg(0);
    (!sk.is_null()).then_some((sk, old, new))
}

/// The same from the record that `/sys/kernel/tracing/events/sock/inet_sock_set_state/format` describes: skaddr, oldstate, newstate.
#[inline(always)]
fn read(context: &TracePointContext) -> Option<(u64, i32, i32)> {
    // SAFETY: the fields are there, integers, since Linux 4.16.
    unsafe {
        Some((
            context.read_at(8).ok()?,
            context.read_at(16).ok()?,
            context.read_at(20).ok()?,
        ))
    }
}

#[inline(always)]
fn count(sk: *mut c_void, old: i32, new: i32) {
    if let Some(socket) = KernelSocket::<Typed>::tcp(sk) {
        on_state_change(&KernelMaps, &socket, old, new);
    }
}

#[inline(always)]
fn leave_note(sk: u64, new: i32) {
    if let Some(turns) = turns(place()) {
        turns.leave(change(sk, new));
    }
}

/// Whether there is a note of this change.
#[inline(always)]
fn noted(sk: u64, new: i32, take: bool) -> bool {
    turns(place()).is_some_and(|turns| turns.find(change(sk, new), take))
}

/// Where the running process has its notes, or what interrupts it. Where it keeps its CPU between two programs, the CPU's place will do; and
/// the process 0 runs on all CPUs.
#[inline(always)]
fn place() -> u32 {
    // SAFETY: the helpers take nothing and touch no memory.
    let (cpu, process) = unsafe {
        (
            bpf_get_smp_processor_id(),
            bpf_get_current_pid_tgid() as u32,
        )
    };
    if process == 0 || setting(&raw const SETTINGS.steady_runs) == 0 {
        return cpu;
    }
    setting(&raw const SETTINGS.cpus) + process % TURNS_OF_PROCESSES
}

#[inline(always)]
fn change(socket: u64, new: i32) -> Change {
    Change {
        socket,
        new: i64::from(new),
    }
}

#[inline(always)]
fn setting(setting: *const u32) -> u32 {
    // SAFETY: it points into a static.
    unsafe { read_volatile(setting) }
}
