//! `life` and `missed`: run when a TCP socket changes its state; see `insight_ebpf::flow::Turns` for why there are two.

use core::ffi::c_void;

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use insight_ebpf::flow::{Change, on_state_change, state};

use super::maps::{KernelMaps, turns};
use super::socket::KernelSocket;

/// Counts every change that matters, unless it is interrupting itself.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn life(context: BtfTracePointContext) -> i32 {
    let Some((sk, old, new)) = matters(&context) else {
        return 0;
    };
    count(sk, old, new);
    if let Some(turns) = turns() {
        turns.leave(change(sk, new));
    }
    0
}

/// Attached after `life`: counts the changes that `life` missed.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn missed(context: BtfTracePointContext) -> i32 {
    let Some((sk, old, new)) = matters(&context) else {
        return 0;
    };
    if turns().is_some_and(|turns| turns.take(change(sk, new))) {
        return 0;
    }
    count(sk, old, new);
    0
}

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)`, include/trace/events/sock.h. Six of ten changes in a
/// connection's life do not matter.
#[inline(always)]
fn matters(context: &BtfTracePointContext) -> Option<(*mut c_void, i32, i32)> {
    let new: i32 = context.arg(2);
    if new != state::ESTABLISHED && new != state::CLOSE {
        return None;
    }
    let old: i32 = context.arg(1);
    let sk: *mut c_void = context.arg(0);
    (!sk.is_null()).then_some((sk, old, new))
}

#[inline(always)]
fn count(sk: *mut c_void, old: i32, new: i32) {
    if let Some(socket) = KernelSocket::tcp(sk) {
        on_state_change(&KernelMaps, &socket, old, new);
    }
}

#[inline(always)]
fn change(sk: *mut c_void, new: i32) -> Change {
    Change {
        socket: sk as u64,
        new: i64::from(new),
    }
}
