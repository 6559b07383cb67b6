//! A flow's totals as the agent keeps them.

use insight_ebpf::abi::{FlowTotals, Histogram, LiveSocket, Moved};

/// Adds an open socket's; the sum may be below 0, see [`closed_since`].
pub(super) fn add(moved: &mut Moved, socket: &LiveSocket) {
    moved.bytes_sent = moved.bytes_sent.wrapping_add(socket.bytes_sent);
    moved.bytes_received = moved.bytes_received.wrapping_add(socket.bytes_received);
    moved.retransmits = moved.retransmits.wrapping_add(socket.retransmits);
    moved.bytes_retransmitted = moved
        .bytes_retransmitted
        .wrapping_add(socket.bytes_retransmitted);
}

/// What closed connections have moved, less the baseline: below 0, in two's complement, while old ones are open.
pub(super) fn closed_since(closed: &FlowTotals, baseline: &Moved) -> Moved {
    Moved {
        bytes_sent: closed.bytes_sent.wrapping_sub(baseline.bytes_sent),
        bytes_received: closed.bytes_received.wrapping_sub(baseline.bytes_received),
        retransmits: closed.retransmits.wrapping_sub(baseline.retransmits),
        bytes_retransmitted: closed
            .bytes_retransmitted
            .wrapping_sub(baseline.bytes_retransmitted),
    }
}

/// A flow's cumulative totals since counting began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub FlowTotals);

impl Totals {
    /// Takes the newer of everything but what connections move.
    pub(super) fn raise_events(&mut self, closed: &FlowTotals) {
        self.raise(&Self(FlowTotals {
            bytes_sent: 0,
            bytes_received: 0,
            retransmits: 0,
            bytes_retransmitted: 0,
            ..*closed
        }));
    }

    /// Takes the larger of what connections have moved: closed − baseline, see [`closed_since`], and open ones. The baseline is the same whether
    /// an old connection is still open or has closed since.
    pub(super) fn raise_moved(&mut self, moved: &Moved) {
        let totals = &mut self.0;
        for (total, moved) in [
            (&mut totals.bytes_sent, moved.bytes_sent),
            (&mut totals.bytes_received, moved.bytes_received),
            (&mut totals.retransmits, moved.retransmits),
            (&mut totals.bytes_retransmitted, moved.bytes_retransmitted),
        ] {
            *total = (*total).max(u64::try_from(moved.cast_signed()).unwrap_or(0));
        }
    }

    /// The larger of each: a connection that closes between two reads is missing for one interval, and totals never go back.
    pub(super) fn raise(&mut self, other: &Self) {
        self.combine(other, u64::max);
    }

    /// What was added since `earlier`.
    #[must_use]
    pub(super) fn since(mut self, earlier: &Self) -> Self {
        self.combine(earlier, u64::saturating_sub);
        self
    }

    /// Adds what another entry of the same flow has.
    pub(super) fn add(&mut self, other: &Self) {
        self.combine(other, u64::saturating_add);
    }

    /// Payload bytes both ways.
    pub(super) fn moved(&self) -> (u64, u64) {
        (self.0.bytes_sent, self.0.bytes_received)
    }

    /// Adds round-trip times that no total has.
    pub(super) fn add_rtt(&mut self, more: &Histogram) {
        for (mine, more) in self.0.rtt.iter_mut().zip(more) {
            *mine = mine.saturating_add(*more);
        }
    }

    /// Whether nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        let (mine, other) = (&mut self.0, &other.0);
        for (mine, other) in [
            (&mut mine.opened, other.opened),
            (&mut mine.closed, other.closed),
            (&mut mine.bytes_sent, other.bytes_sent),
            (&mut mine.bytes_received, other.bytes_received),
            (&mut mine.retransmits, other.retransmits),
            (&mut mine.failed_refused, other.failed_refused),
            (&mut mine.failed_timed_out, other.failed_timed_out),
            (&mut mine.failed_unreachable, other.failed_unreachable),
            (&mut mine.failed_other, other.failed_other),
            (&mut mine.resets, other.resets),
            (&mut mine.bytes_retransmitted, other.bytes_retransmitted),
            (&mut mine.syn_retransmits, other.syn_retransmits),
            (&mut mine.messages_sent, other.messages_sent),
            (&mut mine.messages_received, other.messages_received),
        ] {
            *mine = with(*mine, other);
        }
        for (mine, other) in [
            (&mut mine.rtt, &other.rtt),
            (&mut mine.connect, &other.connect),
        ] {
            for (mine, other) in mine.iter_mut().zip(other) {
                let both = with(u64::from(*mine), u64::from(*other));
                *mine = u32::try_from(both).unwrap_or(u32::MAX);
            }
        }
    }
}
