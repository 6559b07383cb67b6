//! What is counted for one end of a flow.

use std::ops::AddAssign;

use super::Times;

/// Counts of one end of a flow in some time, from that end's own point of view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that reached ESTABLISHED.
    pub opened: u64,
    /// Established connections that ended.
    pub closed: u64,
    /// Connects answered by RST.
    pub failed_refused: u64,
    /// Connects that were not answered.
    pub failed_timed_out: u64,
    /// Connects ended by an ICMP unreachable error.
    pub failed_unreachable: u64,
    /// Connects that failed otherwise.
    pub failed_other: u64,
    /// Connections open at the end of the time: a gauge. Adding takes the later one.
    pub active: u64,
    /// Payload bytes sent by this end.
    pub bytes_sent: u64,
    /// Payload bytes received by this end.
    pub bytes_received: u64,
    /// Segments sent again by this end.
    pub retransmits: u64,
    /// Established connections that the other end reset.
    pub resets: u64,
    /// Payload bytes sent again by this end.
    pub bytes_retransmitted: u64,
    /// Segments of the handshake sent again by this end.
    pub syn_retransmits: u64,
    /// Datagrams sent by this end.
    pub messages_sent: u64,
    /// Datagrams received by this end.
    pub messages_received: u64,
    /// Smoothed round-trip times.
    pub rtt: Times,
    /// Round-trip times of handshakes.
    pub connect: Times,
}

impl Counters {
    /// Failed connects of every kind.
    pub fn failed(&self) -> u64 {
        [
            self.failed_timed_out,
            self.failed_unreachable,
            self.failed_other,
        ]
        .into_iter()
        .fold(self.failed_refused, u64::saturating_add)
    }

    /// Adds everything but the gauge `active`, for ends that exist at the same time; add `active` too.
    pub fn add_peer(&mut self, other: &Self) {
        let active = self.active.saturating_add(other.active);
        *self += *other;
        self.active = active;
    }
}

/// Adds a later time of the same end: counts are added, `active` is replaced.
impl AddAssign for Counters {
    fn add_assign(&mut self, later: Self) {
        let sum = |count: &mut u64, more: u64| *count = count.saturating_add(more);
        sum(&mut self.opened, later.opened);
        sum(&mut self.closed, later.closed);
        sum(&mut self.failed_refused, later.failed_refused);
        sum(&mut self.failed_timed_out, later.failed_timed_out);
        sum(&mut self.failed_unreachable, later.failed_unreachable);
        sum(&mut self.failed_other, later.failed_other);
        self.active = later.active;
        sum(&mut self.bytes_sent, later.bytes_sent);
        sum(&mut self.bytes_received, later.bytes_received);
        sum(&mut self.retransmits, later.retransmits);
        sum(&mut self.resets, later.resets);
        sum(&mut self.bytes_retransmitted, later.bytes_retransmitted);
        sum(&mut self.syn_retransmits, later.syn_retransmits);
        sum(&mut self.messages_sent, later.messages_sent);
        sum(&mut self.messages_received, later.messages_received);
        self.rtt += later.rtt;
        self.connect += later.connect;
    }
}
