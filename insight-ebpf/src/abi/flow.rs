//! The map `FLOWS`: one entry a flow, cumulative for as long as the map lives.

/// [`FlowKey::role`] of an end that connected.
pub const ROLE_CLIENT: u8 = 1;
/// [`FlowKey::role`] of an end that was connected to.
pub const ROLE_SERVER: u8 = 2;
/// [`FlowKey::protocol`] of TCP, its IANA number.
pub const PROTOCOL_TCP: u8 = 6;

/// Which flow a socket belongs to. The client's own port is not part of it: a million connections between the same two
/// ends are one flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Id of the owner's cgroup: the inode number of its cgroup v2 directory.
    pub cgroup: u64,
    /// Cookie of the network namespace.
    pub netns: u64,
    /// Local address, network order; IPv4 as `::ffff:a.b.c.d`.
    pub local: [u32; 4],
    /// Remote address, in the same form.
    pub remote: [u32; 4],
    /// The server's port, host order.
    pub port: u16,
    /// [`ROLE_CLIENT`] or [`ROLE_SERVER`].
    pub role: u8,
    /// [`PROTOCOL_TCP`].
    pub protocol: u8,
    /// Always 0: the kernel hashes every byte of a key.
    pub padding: u32,
}

/// What was counted of a flow. Bytes and retransmits are those of connections that were closed; open ones are read from
/// their sockets.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowTotals {
    /// Connections that reached ESTABLISHED.
    pub opened: u64,
    /// Established connections that reached CLOSE.
    pub closed: u64,
    /// Payload bytes sent, each once however often it was sent again.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Segments sent again.
    pub retransmits: u64,
    /// Connects answered by RST (`ECONNREFUSED`).
    pub failed_refused: u64,
    /// Connects that were given up (`ETIMEDOUT`).
    pub failed_timed_out: u64,
    /// Connects ended by an ICMP error (`EHOSTUNREACH`, `ENETUNREACH`).
    pub failed_unreachable: u64,
    /// Connects that failed otherwise, for example closed by the program before they were answered.
    pub failed_other: u64,
    /// Established connections that the other end reset (`ECONNRESET`, `EPIPE`).
    pub resets: u64,
    /// Payload bytes sent again.
    pub bytes_retransmitted: u64,
    /// Segments of the handshake sent again: SYNs by a client, SYN-ACKs by a server.
    pub syn_retransmits: u64,
    /// Smoothed round-trip times of connections when they closed.
    pub rtt: Histogram,
    /// Round-trip times of the handshake: how long a connect took.
    pub connect: Histogram,
}

/// Counts of times by their binary order of magnitude; see [`bucket`].
pub type Histogram = [u32; BUCKETS];

/// Buckets of a [`Histogram`].
pub const BUCKETS: usize = 16;

/// Which bucket a time belongs to, microseconds. The first holds what is below 32 µs, each further one twice as much, the last what is
/// 524 ms or more.
#[inline(always)]
pub const fn bucket(us: u32) -> usize {
    if us < 32 {
        return 0;
    }
    let order = (u32::BITS - 1 - us.leading_zeros()) as usize - 4;
    if order < BUCKETS { order } else { BUCKETS - 1 }
}

/// Bytes and retransmits of some sockets. The map `BASELINE`: what the open connections of a flow had moved before counting began.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Segments sent again.
    pub retransmits: u64,
    /// Payload bytes sent again.
    pub bytes_retransmitted: u64,
}

/// The map `OVERFLOW`, one entry: what found no room in `FLOWS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// How many updates came here.
    pub updates: u64,
    /// Their sum.
    pub totals: FlowTotals,
}

const _: () = {
    assert!(size_of::<FlowKey>() == 56 && align_of::<FlowKey>() == 8);
    assert!(core::mem::offset_of!(FlowKey, local) == 16);
    assert!(core::mem::offset_of!(FlowKey, port) == 48);
    assert!(core::mem::offset_of!(FlowKey, padding) == 52);
    assert!(size_of::<FlowTotals>() == 224 && align_of::<FlowTotals>() == 8);
    assert!(core::mem::offset_of!(FlowTotals, failed_refused) == 40);
    assert!(core::mem::offset_of!(FlowTotals, rtt) == 96);
    assert!(size_of::<Overflow>() == 232);
    assert!(size_of::<Moved>() == 32 && align_of::<Moved>() == 8);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_is_twice_as_wide() {
        assert_eq!([0, 1, 31].map(bucket), [0; 3]);
        assert_eq!([32, 63, 64, 127].map(bucket), [1, 1, 2, 2]);
        assert_eq!([524_287, 524_288, u32::MAX].map(bucket), [14, 15, 15]);
    }
}
