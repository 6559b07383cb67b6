//! A flow's totals as the agent keeps them.

use insight_ebpf::abi::{FlowTotals, Histogram, LiveSocket, Moved};

/// Adds an open socket's.
pub(super) fn add(moved: &mut Moved, socket: &LiveSocket) {
    moved.bytes_sent += socket.bytes_sent;
    moved.bytes_received += socket.bytes_received;
    moved.retransmits += socket.retransmits;
    moved.bytes_retransmitted += socket.bytes_retransmitted;
}

/// A flow's cumulative totals since counting began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub FlowTotals);

impl Totals {
    /// closed + live − baseline. The baseline is the same whether an old connection is still open or has closed since.
    pub(super) fn of(closed: &FlowTotals, live: &Moved, baseline: &Moved) -> Self {
        let moved =
            |closed: u64, live: u64, baseline: u64| (closed + live).saturating_sub(baseline);
        Self(FlowTotals {
            bytes_sent: moved(closed.bytes_sent, live.bytes_sent, baseline.bytes_sent),
            bytes_received: moved(
                closed.bytes_received,
                live.bytes_received,
                baseline.bytes_received,
            ),
            retransmits: moved(closed.retransmits, live.retransmits, baseline.retransmits),
            bytes_retransmitted: moved(
                closed.bytes_retransmitted,
                live.bytes_retransmitted,
                baseline.bytes_retransmitted,
            ),
            ..*closed
        })
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
