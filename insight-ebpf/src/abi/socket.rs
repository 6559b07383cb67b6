//! What the readout writes: one record for each descriptor of an open TCP socket.

use super::FlowKey;

/// An open socket with its totals since it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveSocket {
    /// The flow it belongs to, with the socket's own remote address where the flow is of a prefix.
    pub key: FlowKey,
    /// Its address in the kernel: the same socket behind several descriptors has the same.
    pub socket: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Segments sent again.
    pub retransmits: u64,
    /// Payload bytes sent again.
    pub bytes_retransmitted: u64,
    /// 1 if the socket is older than the counting and this is what it had moved before: its baseline.
    pub baseline: u32,
    /// Smoothed round-trip time, microseconds; 0 when there is none yet.
    pub rtt_us: u32,
}

/// Value in the map `MARKS`: established while the baseline is taken; everything it moves counts.
pub const MARK_NEW: u8 = 1;
/// Value in the map `MARKS`: older than the counting, and its baseline was read.
pub const MARK_OLD: u8 = 2;
/// Value in the map `MARKS`: closed while the baseline is taken; nothing of it may be read any more.
pub const MARK_CLOSED: u8 = 3;

const _: () = {
    assert!(size_of::<LiveSocket>() == 104 && align_of::<LiveSocket>() == 8);
    assert!(core::mem::offset_of!(LiveSocket, socket) == 56);
    assert!(core::mem::offset_of!(LiveSocket, baseline) == 96);
};
