//! What one run of a load shows.

use super::CONTENDERS;
use crate::bench::contender::Counted;
use crate::load::tally::Tally;

/// A load with one contender.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bout {
    /// Pieces of work a second.
    pub(super) rate: f64,
    /// CPU time of both pods for a piece, microseconds; what the kernel does for their packets is in it.
    pub(super) pods_us: f64,
    /// CPU time of the contender's own processes, share of a core.
    pub(super) user: f64,
    /// Other programs' share of the CPUs.
    pub(super) others: f64,
    /// If it counts.
    pub(super) share: Option<Share>,
}

/// Counted / true.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Share {
    pub(super) connections: f64,
    /// Seen while they were open.
    pub(super) open: f64,
    pub(super) bytes: f64,
}

impl Share {
    pub(super) fn of(counted: Counted, truth: &Tally) -> Self {
        let share = |counted: u64, truth: u64| counted as f64 / truth as f64;
        Self {
            connections: share(counted.connections, truth.connections),
            open: share(counted.open, truth.connections),
            bytes: share(counted.bytes, truth.bytes_sent + truth.bytes_received),
        }
    }
}

/// A bout with each, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round(pub(super) [Bout; CONTENDERS]);

impl Round {
    /// Other programs' share of the CPUs in the worst bout.
    pub(super) fn others(&self) -> f64 {
        self.0.iter().map(|bout| bout.others).fold(0.0, f64::max)
    }

    /// One's speed / another's.
    pub(super) fn ratio(&self, one: usize, other: usize) -> f64 {
        self.0[one].rate / self.0[other].rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_truth() {
        let counted = Counted {
            connections: 3,
            open: 1,
            bytes: 150,
        };
        let truth = Tally {
            connections: 4,
            bytes_sent: 60,
            bytes_received: 40,
            ..Tally::default()
        };
        let expected = Share {
            connections: 0.75,
            open: 0.25,
            bytes: 1.5,
        };
        assert_eq!(Share::of(counted, &truth), expected);
    }

    #[test]
    fn the_worst_bout_disturbs_a_round() {
        let mut round = Round::default();
        round.0[0].rate = 200.0;
        round.0[2] = Bout {
            rate: 150.0,
            others: 0.4,
            ..Bout::default()
        };
        assert_eq!(round.others(), 0.4);
        assert_eq!(round.ratio(2, 0), 0.75);
    }
}
