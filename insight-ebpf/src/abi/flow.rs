//! The map `FLOWS`: one entry a flow, cumulative for as long as the map lives.

/// [`FlowKey::role`] of an end that connected.
pub const ROLE_CLIENT: u8 = 1;
/// [`FlowKey::role`] of an end that was connected to.
pub const ROLE_SERVER: u8 = 2;
/// [`FlowKey::role`] where nobody saw who began, and the port is the remote end's: the lower one of the two, which says nothing of roles.
pub const ROLE_UNKNOWN_REMOTE: u8 = 3;
/// [`FlowKey::role`] where nobody saw who began, and the port is the local end's.
pub const ROLE_UNKNOWN_LOCAL: u8 = 4;
/// [`FlowKey::protocol`] of TCP, its IANA number.
pub const PROTOCOL_TCP: u8 = 6;
/// [`FlowKey::protocol`] of UDP.
pub const PROTOCOL_UDP: u8 = 17;

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
    /// [`ROLE_CLIENT`] or [`ROLE_SERVER`]; of UDP also one of the two unknown ones.
    pub role: u8,
    /// [`PROTOCOL_TCP`] or [`PROTOCOL_UDP`].
    pub protocol: u8,
    /// Bits of `remote` that count, of the 128; the others are 0. 0: it is one address.
    pub prefix: u8,
    /// 1 for the flow's second entry: its first one is [`FlowEntry::retired`], or was while this one came.
    pub generation: u8,
    /// Always 0: the kernel hashes every byte of a key.
    pub padding: u16,
}

impl FlowKey {
    /// The catch-all entry of a role and protocol: what found no room in the map.
    pub const fn catch_all(role: u8, protocol: u8) -> Self {
        Self {
            cgroup: 0,
            netns: 0,
            local: [0; 4],
            remote: [0; 4],
            port: 0,
            role: match role {
                ROLE_UNKNOWN_REMOTE => ROLE_CLIENT,
                ROLE_UNKNOWN_LOCAL => ROLE_SERVER,
                known => known,
            },
            protocol,
            prefix: 0,
            generation: 0,
            padding: 0,
        }
    }

    /// Whether this is a catch-all entry: no socket has a network namespace with the number 0.
    pub fn is_catch_all(&self) -> bool {
        self.netns == 0 && self.cgroup == 0 && self.port == 0
    }

    /// The same with its remote address cut to the prefix that it names.
    #[inline(always)]
    #[must_use]
    pub fn widened(mut self, prefix: u8) -> Self {
        self.prefix = prefix;
        let mut bits = u32::from(prefix);
        for word in &mut self.remote {
            let here = if bits < 32 { bits } else { 32 };
            let mask = if here == 0 {
                0
            } else {
                u32::MAX << (32 - here)
            };
            *word &= mask.to_be();
            bits -= here;
        }
        self
    }
}

/// What the map holds of a flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowEntry {
    /// What was counted.
    pub totals: FlowTotals,
    /// When the entry was made, nanoseconds since boot: an entry that is made again has another.
    pub born: u64,
    /// 1 once nothing is to be added any more, because the agent is about to remove it.
    pub retired: u64,
    /// The client's own port of the connection that was opened last; 0 for a server. A sample, to ask connection tracking about.
    pub last_port: u32,
    /// Always 0.
    pub padding: u32,
}

/// What was counted of a flow. Bytes and retransmits are those of connections that were closed; open ones are read from
/// their sockets.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowTotals {
    /// Connections that reached ESTABLISHED; of UDP conversations that began.
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
    /// Datagrams sent; of TCP 0.
    pub messages_sent: u64,
    /// Datagrams received; of TCP 0.
    pub messages_received: u64,
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

/// Bytes and retransmits of some sockets.
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

/// The map `BASELINE`: what the connections of a flow that were open when counting began had moved before.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// [`FlowEntry::born`] of the entry that it belongs to.
    pub born: u64,
    /// What they had moved.
    pub moved: Moved,
}

const _: () = {
    assert!(size_of::<FlowKey>() == 56 && align_of::<FlowKey>() == 8);
    assert!(core::mem::offset_of!(FlowKey, local) == 16);
    assert!(core::mem::offset_of!(FlowKey, port) == 48);
    assert!(core::mem::offset_of!(FlowKey, prefix) == 52);
    assert!(size_of::<FlowTotals>() == 240 && align_of::<FlowTotals>() == 8);
    assert!(core::mem::offset_of!(FlowTotals, failed_refused) == 40);
    assert!(core::mem::offset_of!(FlowTotals, rtt) == 112);
    assert!(size_of::<FlowEntry>() == size_of::<FlowTotals>() + 24);
    assert!(size_of::<Moved>() == 32 && align_of::<Moved>() == 8);
    assert!(size_of::<Baseline>() == 40);
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

    #[test]
    fn a_prefix_keeps_its_bits_and_no_others() {
        let words = [0x2001_0db8_u32, 0x1234_5678, 0x9abc_def0, 0x0102_0304].map(u32::to_be);
        let key = FlowKey {
            remote: words,
            ..FlowKey::default()
        };
        let cut = |prefix| key.widened(prefix).remote.map(u32::from_be);
        assert_eq!(cut(128), words.map(u32::from_be));
        assert_eq!(cut(48), [0x2001_0db8, 0x1234_0000, 0, 0]);
        assert_eq!(cut(32), [0x2001_0db8, 0, 0, 0]);
        assert_eq!(
            cut(120),
            [0x2001_0db8, 0x1234_5678, 0x9abc_def0, 0x0102_0300]
        );
        assert_eq!(cut(0), [0; 4]);
    }

    #[test]
    fn only_a_catch_all_is_one() {
        let key = FlowKey::catch_all(ROLE_SERVER, PROTOCOL_TCP);
        assert!(key.is_catch_all());
        assert!(!FlowKey { netns: 1, ..key }.is_catch_all());
    }
}
