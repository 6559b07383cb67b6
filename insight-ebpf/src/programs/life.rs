//! `life`: runs when a TCP socket changes its state.

use core::ffi::c_void;

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use insight_ebpf::flow::{on_state_change, state};

use super::maps::KernelMaps;
use super::socket::KernelSocket;

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)`, include/trace/events/sock.h
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn life(context: BtfTracePointContext) -> i32 {
    let new: i32 = context.arg(2);
    // Six of ten changes in a connection's life are neither; they end here.
    if new != state::ESTABLISHED && new != state::CLOSE {
        return 0;
    }
    let old: i32 = context.arg(1);
    let sk: *mut c_void = context.arg(0);
    if sk.is_null() {
        return 0;
    }
    if let Some(socket) = KernelSocket::tcp(sk) {
        on_state_change(&KernelMaps, &socket, old, new);
    }
    0
}
