//! Open connections, read from their sockets.

use super::life::state;
use super::{Maps, Socket, place};
use crate::abi::{FlowKey, LiveSocket, MARK_OLD};

/// What an open socket has moved; `None` for one that carries nothing, or is not to be counted.
#[inline(always)]
pub fn live_socket<M: Maps, S: Socket>(maps: &M, socket: &S) -> Option<LiveSocket> {
    if !carries(socket) || !socket.in_scope() {
        return None;
    }
    let baseline_phase = maps.taking_baseline();
    let remote = socket.addresses().1;
    let mut key = FlowKey::default();
    if !place::reading(maps, socket, &mut key) {
        if !baseline_phase {
            return None;
        }
        // Without room for its flow, it will close into a catch-all entry.
        key = FlowKey::catch_all(key.role, key.protocol);
    }
    // The mark comes before the counts: once it is set, a close on another CPU adds the socket's totals, and whatever is
    // read here is what must be taken off them again.
    // A socket that is met again, behind another descriptor or because the kernel had no room left for the record and starts
    // over with the same file, is as old as it was: its reader takes it once.
    let baseline = baseline_phase && matches!(maps.mark(socket.address(), MARK_OLD), 0 | MARK_OLD);
    if key.prefix != 0 {
        key.remote = remote;
    }
    Some(LiveSocket {
        key,
        socket: socket.address(),
        bytes_sent: socket.bytes_sent(),
        bytes_received: socket.bytes_received(),
        retransmits: socket.retransmits(),
        bytes_retransmitted: socket.bytes_retransmitted(),
        baseline: u32::from(baseline),
        rtt_us: socket.rtt_us(),
    })
}

/// Before ESTABLISHED nobody knows the role yet.
#[inline(always)]
fn carries<S: Socket>(socket: &S) -> bool {
    !matches!(
        i32::from(socket.state()),
        0 | state::CLOSE | state::LISTEN | state::SYN_SENT | state::SYN_RECV | state::NEW_SYN_RECV
    )
}
