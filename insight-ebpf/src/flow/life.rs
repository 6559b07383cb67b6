//! A connection's life: opened, closed or failed, from the changes of its socket's state.

use super::{Maps, Socket, Update, place};
use crate::abi::{MARK_CLOSED, MARK_NEW, MARK_OLD, ROLE_CLIENT, ROLE_SERVER};

/// TCP states as the kernel numbers them (`include/net/tcp_states.h`).
pub mod state {
    /// Connected.
    pub const ESTABLISHED: i32 = 1;
    /// A client that waits for the answer to its SYN.
    pub const SYN_SENT: i32 = 2;
    /// A server's socket before the handshake's last ACK; or a client's whose SYN met another one.
    pub const SYN_RECV: i32 = 3;
    /// The program has ended what it sends.
    pub const FIN_WAIT1: i32 = 4;
    /// Ended.
    pub const CLOSE: i32 = 7;
    /// The peer has ended what it sends.
    pub const CLOSE_WAIT: i32 = 8;
    /// Waits for connections.
    pub const LISTEN: i32 = 10;
    /// A request that is no socket yet.
    pub const NEW_SYN_RECV: i32 = 12;
}

/// `tcp_reset` in net/ipv4/tcp_input.c sets it before the state, `EPIPE` where the other end had finished sending.
const ECONNRESET: i32 = 104;
const EPIPE: i32 = 32;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;
const ENETUNREACH: i32 = 101;

/// Whether a change of state may have to be counted.
#[inline(always)]
pub fn matters(old: i32, new: i32) -> bool {
    new == state::CLOSE || begins(old, new)
}

/// A connection that TCP Fast Open made has carried payload before its handshake ends, and either end may close it before that.
#[inline(always)]
fn begins(old: i32, new: i32) -> bool {
    new == state::ESTABLISHED
        || old == state::SYN_RECV && (new == state::FIN_WAIT1 || new == state::CLOSE_WAIT)
}

/// Counts one change of a socket's state.
#[inline(always)]
pub fn on_state_change<M: Maps, S: Socket>(maps: &M, socket: &S, old: i32, new: i32) {
    if begins(old, new) {
        opened(maps, socket, old);
    } else if new == state::CLOSE {
        if old == state::SYN_SENT {
            failed(maps, socket);
        } else if old != state::LISTEN && old != state::SYN_RECV && old != state::CLOSE {
            closed(maps, socket);
        }
    }
}

/// The role is exact here: a client comes from SYN_SENT. Where two clients' SYNs meet (a simultaneous open), one of them or both come from
/// SYN_RECV; no listener has made such a socket, and a program has it already (`tcp_rcv_state_process` in net/ipv4/tcp_input.c tells it
/// by the same sign).
#[inline(always)]
fn opened<M: Maps, S: Socket>(maps: &M, socket: &S, old: i32) {
    let role = if old == state::SYN_SENT || socket.backlog() == 0 && socket.is_held() {
        ROLE_CLIENT
    } else {
        ROLE_SERVER
    };
    if maps.taking_baseline() {
        // The address may have belonged to a socket that is gone.
        maps.remark(socket.address(), MARK_NEW);
    }
    if let Some(entry) = place::opening(maps, socket, role) {
        let once = Update {
            opened: 1,
            // Nothing else can have been sent again by now.
            syn_retransmits: socket.retransmits(),
            connect_us: socket.rtt_us(),
            client_port: if role == ROLE_CLIENT {
                socket.local_port()
            } else {
                0
            },
            ..Update::default()
        };
        maps.add(entry, &once);
    }
}

#[inline(always)]
fn failed<M: Maps, S: Socket>(maps: &M, socket: &S) {
    let Some(entry) = place::opening(maps, socket, ROLE_CLIENT) else {
        return;
    };
    let mut once = Update {
        syn_retransmits: socket.retransmits(),
        ..Update::default()
    };
    match socket.error() {
        ECONNREFUSED => once.failed_refused = 1,
        ETIMEDOUT => once.failed_timed_out = 1,
        EHOSTUNREACH | ENETUNREACH => once.failed_unreachable = 1,
        _ => once.failed_other = 1,
    }
    maps.add(entry, &once);
}

/// A closed socket's totals are added whole. While the baseline is taken, those of a socket that is older than the counting
/// and was not read yet are not: nobody knows how much of them is from before.
#[inline(always)]
fn closed<M: Maps, S: Socket>(maps: &M, socket: &S) {
    // The mark first: once it is set, the readout takes nothing of the socket.
    let counts = !maps.taking_baseline() || counts_at_close(maps, socket);
    let Some(entry) = place::closing(maps, socket) else {
        return;
    };
    let mut once = Update {
        closed: 1,
        resets: u64::from(matches!(socket.error(), ECONNRESET | EPIPE)),
        rtt_us: socket.rtt_us(),
        ..Update::default()
    };
    if counts {
        once.bytes_sent = socket.bytes_sent();
        once.bytes_received = socket.bytes_received();
        once.retransmits = socket.retransmits();
        once.bytes_retransmitted = socket.bytes_retransmitted();
    }
    maps.add(entry, &once);
}

#[inline(always)]
fn counts_at_close<M: Maps, S: Socket>(maps: &M, socket: &S) -> bool {
    let mark = maps.mark(socket.address(), MARK_CLOSED);
    if mark == MARK_NEW {
        // The readout may still hold its file: it must not take it for an old one.
        maps.remark(socket.address(), MARK_CLOSED);
    }
    mark == MARK_NEW || mark == MARK_OLD
}
