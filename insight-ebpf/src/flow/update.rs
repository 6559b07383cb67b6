//! What one event adds to a flow. Smaller than the totals, because it lies on the programs' stack of 512 bytes.

/// Fields as in [`crate::abi::FlowTotals`]; the times are single ones, in microseconds, 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Connections that reached ESTABLISHED.
    pub opened: u64,
    /// Established connections that reached CLOSE.
    pub closed: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Segments sent again.
    pub retransmits: u64,
    /// Connects answered by RST.
    pub failed_refused: u64,
    /// Connects that were given up.
    pub failed_timed_out: u64,
    /// Connects ended by an ICMP error.
    pub failed_unreachable: u64,
    /// Connects that failed otherwise.
    pub failed_other: u64,
    /// Established connections that the other end reset.
    pub resets: u64,
    /// Payload bytes sent again.
    pub bytes_retransmitted: u64,
    /// Segments of the handshake sent again.
    pub syn_retransmits: u64,
    /// Datagrams sent.
    pub messages_sent: u64,
    /// Datagrams received.
    pub messages_received: u64,
    /// Smoothed round-trip time at the close.
    pub rtt_us: u32,
    /// Round-trip time of the handshake.
    pub connect_us: u32,
    /// The port of a client that opened a connection, else 0.
    pub client_port: u16,
}
