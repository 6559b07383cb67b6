//! What outlives the agent beside the counts: whose they are, and how much of them was reported.

use super::FlowTotals;

/// The map `STATE`, one entry: what an agent has to know to go on where another one was killed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// 1 once the baseline is in the map `BASELINE`; before that nothing was reported, and counting begins anew.
    pub complete: u32,
    /// [`super::Settings::scope_level`] of the programs that count.
    pub scope_level: u32,
    /// [`super::Settings::scope_cgroup`] of the programs that count.
    pub scope_cgroup: u64,
    /// Hash of the node's name.
    pub node: u64,
    /// When counting began, Unix nanoseconds: the epoch of everything that is reported of it.
    pub epoch: u64,
    /// Sequence of the last batch that was made, whether or not it arrived.
    pub sequence: u64,
    /// What batches before that one cover ends here, Unix milliseconds.
    pub reported_until_ms: u64,
    /// What that batch covers ends here, Unix milliseconds.
    pub sequence_until_ms: u64,
    /// Room in the map `FLOWS`.
    pub max_flows: u32,
    /// [`super::Settings::prefix_v4`] of the programs that count.
    pub prefix_v4: u8,
    /// [`super::Settings::prefix_v6`] of the programs that count.
    pub prefix_v6: u8,
    /// [`super::Settings::udp`] of the programs that count.
    pub udp: u16,
}

/// The map `WATERMARKS`: how much of a flow was reported. The aggregator knows which batch it has; an agent that starts anew asks it
/// and takes the right one of the two.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermark {
    /// The last batch that has the flow.
    pub sequence: u64,
    /// [`super::FlowEntry::born`] of the flow's entry.
    pub born: u64,
    /// Reported once that batch is durable.
    pub after: FlowTotals,
    /// Reported before.
    pub before: FlowTotals,
}

impl Watermark {
    /// What is reported if the aggregator has every batch up to `durable`.
    pub fn reported(&self, durable: u64) -> &FlowTotals {
        if self.sequence <= durable {
            &self.after
        } else {
            &self.before
        }
    }
}

const _: () = {
    assert!(size_of::<State>() == 64 && align_of::<State>() == 8);
    assert!(core::mem::offset_of!(State, epoch) == 24);
    assert!(size_of::<Watermark>() == 16 + 2 * size_of::<FlowTotals>());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aggregator_decides_what_was_reported() {
        let totals = |opened| FlowTotals {
            opened,
            ..FlowTotals::default()
        };
        let mark = Watermark {
            sequence: 7,
            born: 1,
            after: totals(9),
            before: totals(5),
        };
        assert_eq!(mark.reported(6).opened, 5, "the batch did not arrive");
        assert_eq!(mark.reported(7).opened, 9);
        assert_eq!(mark.reported(8).opened, 9);
    }
}
