//! Open connections, read from their sockets.

use super::life::{as_server, state};
use super::{Maps, Socket};
use crate::abi::{LiveSocket, MARK_OLD, ROLE_CLIENT};

/// What an open socket has moved; `None` for one that carries nothing, or is not to be counted.
#[inline(always)]
pub fn live_socket<M: Maps, S: Socket>(maps: &M, socket: &S) -> Option<LiveSocket> {
    if !carries(socket) || !socket.in_scope() {
        return None;
    }
    let mut key = socket.key(ROLE_CLIENT);
    if socket.backlog() > 0 {
        key = as_server(socket, key);
    } else if !maps.contains(&key) {
        let server = as_server(socket, key);
        if maps.contains(&server) {
            key = server;
        }
    }
    // The mark comes before the counts: once it is set, a close on another CPU adds the socket's totals, and whatever is
    // read here is what must be taken off them again.
    // A socket that is met again, behind another descriptor or because the kernel had no room left for the record and starts
    // over with the same file, is as old as it was: its reader takes it once.
    let baseline =
        maps.taking_baseline() && matches!(maps.mark(socket.address(), MARK_OLD), 0 | MARK_OLD);
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

#[inline(always)]
fn carries<S: Socket>(socket: &S) -> bool {
    let now = i32::from(socket.state());
    now != state::CLOSE && now != state::LISTEN && now != state::SYN_SENT && now != 0
}
