//! UDP's programs. `udp_send…` and `udp_recv…` run for datagrams that have an address beside them, `udp_release` when any socket of the
//! Internet's protocols is closed; `udp_sent` and `udp_received`, which are there only where bytes are wanted, for every message of every
//! socket, and are soon done with other protocols'.

use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::macros::{btf_tracepoint, cgroup_sock, cgroup_sock_addr};
use aya_ebpf::programs::{BtfTracePointContext, SockAddrContext, SockContext};
use insight_ebpf::abi::{UDP_BYTES, UDP_EDGES, UDP_OFF};
use insight_ebpf::flow::{
    Count, Event, Talks as _, UdpSocket as _, on_message, on_refused, on_socket,
};

use super::maps::KernelMaps;
use super::socket::{Probed, SETTINGS, Typed};
use super::talks::{put_peer, take_peer};
use super::udp_socket::{KernelUdp, is_udp, mapped};

const IPPROTO_UDP: u32 = 17;
/// include/uapi/linux/socket.h
const MSG_PEEK: i32 = 2;
const ECONNREFUSED: i32 = 111;

/// What these programs always answer: go on.
const ALLOW: i32 = 1;

#[cgroup_sock_addr(sendmsg4)]
pub(crate) fn udp_send4(context: SockAddrContext) -> i32 {
    addressed(&context, true, Event::Sent)
}

#[cgroup_sock_addr(sendmsg6)]
pub(crate) fn udp_send6(context: SockAddrContext) -> i32 {
    addressed(&context, false, Event::Sent)
}

#[cgroup_sock_addr(recvmsg4)]
pub(crate) fn udp_recv4(context: SockAddrContext) -> i32 {
    addressed(&context, true, Event::Received)
}

#[cgroup_sock_addr(recvmsg6)]
pub(crate) fn udp_recv6(context: SockAddrContext) -> i32 {
    addressed(&context, false, Event::Received)
}

/// Runs when a socket is closed, of TCP, too.
#[cgroup_sock(sock_release)]
pub(crate) fn udp_release(context: SockContext) -> i32 {
    // SAFETY: a field of the kernel's context.
    if unsafe { read_volatile(&raw const (*context.sock).protocol) } != IPPROTO_UDP {
        return ALLOW;
    }
    let sk = number(context.sock.cast()) as *mut c_void;
    if is_udp::<Probed>(sk) {
        on_socket(&KernelMaps, &KernelUdp::<Probed>::at(sk));
    }
    ALLOW
}

/// `TP_PROTO(struct sock *sk, int ret, int flags)`, include/trace/events/sock.h.
#[btf_tracepoint(function = "sock_send_length")]
pub(crate) fn udp_sent(context: BtfTracePointContext) -> i32 {
    let sk: *mut c_void = context.arg(0);
    if !sk.is_null() && is_udp::<Typed>(sk) {
        length(sk, context.arg(1), Event::Sent);
    }
    0
}

/// The same for what was received.
#[btf_tracepoint(function = "sock_recv_length")]
pub(crate) fn udp_received(context: BtfTracePointContext) -> i32 {
    let sk: *mut c_void = context.arg(0);
    if !sk.is_null() && is_udp::<Typed>(sk) {
        let flags: i32 = context.arg(2);
        if flags & MSG_PEEK == 0 {
            length(sk, context.arg(1), Event::Received);
        }
    }
    0
}

/// Takes a socket of another protocol than TCP that the readout met.
#[inline(always)]
pub(super) fn opened(sk: *mut c_void) {
    let mode = mode();
    if mode == UDP_OFF || !is_udp::<Typed>(sk) {
        return;
    }
    let socket = KernelUdp::<Typed>::at(sk);
    if socket.local().1 != 0 {
        KernelMaps.is_older(socket.address());
    }
    if mode == UDP_EDGES {
        on_socket(&KernelMaps, &socket);
    }
}

/// A datagram whose other end's address the kernel shows.
#[inline(always)]
fn addressed(context: &SockAddrContext, is_v4: bool, event: Event) -> i32 {
    let given = context.sock_addr;
    // SAFETY: fields of the kernel's context.
    let (sk, port) = unsafe {
        (
            number(read_volatile(&raw const (*given).__bindgen_anon_1.sk).cast()),
            read_volatile(&raw const (*given).user_port),
        )
    };
    let peer = (address(given, is_v4), u16::from_be(port as u16));
    if mode() == UDP_BYTES {
        put_peer(sk, peer);
    } else {
        let socket = KernelUdp::<Probed>::at(sk as *mut c_void);
        on_message(&KernelMaps, &socket, peer, event, Count::Nothing);
    }
    ALLOW
}

#[inline(always)]
fn address(given: *mut bpf_sock_addr, is_v4: bool) -> [u32; 4] {
    // SAFETY: fields of the kernel's context, each loaded as a whole.
    unsafe {
        if is_v4 {
            return mapped(read_volatile(&raw const (*given).user_ip4));
        }
        let words = (&raw const (*given).user_ip6).cast::<u32>();
        [
            read_volatile(words),
            read_volatile(words.add(1)),
            read_volatile(words.add(2)),
            read_volatile(words.add(3)),
        ]
    }
}

/// A datagram's length, or why there is none.
#[inline(always)]
fn length(sk: *mut c_void, length: i32, event: Event) {
    let named = take_peer(sk as u64);
    let socket = KernelUdp::<Typed>::at(sk);
    let Some(peer) = named.or_else(|| socket.connected()) else {
        return;
    };
    if length < 0 {
        if length == -ECONNREFUSED {
            on_refused(&KernelMaps, &socket, peer);
        }
        return;
    }
    let bytes = length as u64;
    let count = match event {
        Event::Sent => Count::Sent(bytes),
        _ => Count::Received(bytes),
    };
    on_message(&KernelMaps, &socket, peer, event, count);
}

/// A pointer that the verifier follows as the number that helpers take: it forgets what it knows of a pointer that is read from the stack by
/// a helper.
#[inline(always)]
fn number(pointer: *const c_void) -> u64 {
    let place = pointer as u64;
    // SAFETY: the helper reads a place on our stack.
    unsafe { bpf_probe_read_kernel(&raw const place).unwrap_or(0) }
}

#[inline(always)]
fn mode() -> u16 {
    // SAFETY: reads a static.
    unsafe { read_volatile(&raw const SETTINGS.udp) }
}
