//! Which reports of a node are durable.

use std::collections::HashMap;
use std::sync::Arc;

use super::Outcome;
use crate::model::UnixMs;

/// Epochs kept for a node. An agent that restarts leaves at most a few unacknowledged batches of the epoch before.
const MAX_EPOCHS: usize = 4;

/// What is durable of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeSequences {
    /// (epoch, highest sequence); the one that reported last is last.
    pub(super) epochs: Vec<(u64, u64)>,
    /// When it last reported, by the aggregator's clock.
    pub(super) at: UnixMs,
}

impl NodeSequences {
    /// Highest durable sequence of an epoch, 0 when unknown.
    pub(super) fn last(&self, epoch: u64) -> u64 {
        self.epochs
            .iter()
            .find(|(known, _)| *known == epoch)
            .map_or(0, |(_, last)| *last)
    }

    /// Whether a report with this sequence is to be stored. An unknown epoch may start anywhere, and a stream may resume later
    /// than expected: an aggregator that lost its store, or got back an older copy of it, must not lock agents out.
    pub(super) fn judge(&self, epoch: u64, sequence: u64, resumes: bool) -> Outcome {
        let last = self.last(epoch);
        if sequence <= last {
            Outcome::Duplicate
        } else if last == 0 || resumes || sequence == last + 1 {
            Outcome::Stored
        } else {
            Outcome::Gap { expected: last + 1 }
        }
    }

    /// Remembers a stored report.
    pub(super) fn advance(&mut self, epoch: u64, sequence: u64, now: UnixMs) {
        self.epochs.retain(|(known, _)| *known != epoch);
        self.epochs.push((epoch, sequence));
        if self.epochs.len() > MAX_EPOCHS {
            self.epochs.remove(0);
        }
        self.at = now;
    }
}

/// What is durable, by node.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    pub(super) nodes: HashMap<Arc<str>, NodeSequences>,
}

impl Sequences {
    /// Highest durable sequence, 0 when unknown.
    pub(super) fn last(&self, node: &str, epoch: u64) -> u64 {
        self.nodes.get(node).map_or(0, |known| known.last(epoch))
    }

    /// Forgets nodes that were silent since `before`: what they could send again is older than the retention and dropped.
    pub(super) fn forget(&mut self, before: UnixMs) {
        self.nodes.retain(|_, node| node.at >= before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_stored_once_and_in_order() {
        let mut node = NodeSequences::default();
        assert_eq!(
            node.judge(7, 41, false),
            Outcome::Stored,
            "an unknown epoch"
        );
        node.advance(7, 41, 1);
        assert_eq!(node.judge(7, 41, false), Outcome::Duplicate);
        assert_eq!(node.judge(7, 40, false), Outcome::Duplicate);
        assert_eq!(node.judge(7, 42, false), Outcome::Stored);
        assert_eq!(node.judge(7, 43, false), Outcome::Gap { expected: 42 });
        assert_eq!(node.judge(7, 43, true), Outcome::Stored, "of an older copy");
        assert_eq!(node.judge(7, 41, true), Outcome::Duplicate);
        assert_eq!(node.judge(8, 1, false), Outcome::Stored);
        assert_eq!(
            node.judge(8, 0, false),
            Outcome::Duplicate,
            "0 is no sequence"
        );
    }

    #[test]
    fn the_epochs_that_reported_last_are_kept_even_when_a_clock_went_back() {
        let mut node = NodeSequences::default();
        for epoch in [10, 11, 12, 13] {
            node.advance(epoch, 5, 1);
        }
        node.advance(10, 6, 2);
        node.advance(3, 1, 3);
        assert_eq!(node.epochs, [(12, 5), (13, 5), (10, 6), (3, 1)]);
        assert_eq!(node.last(11), 0);
    }

    #[test]
    fn silent_nodes_are_forgotten() {
        let mut all = Sequences::default();
        for (name, at) in [("old", 99), ("new", 100)] {
            let mut node = NodeSequences::default();
            node.advance(1, 9, at);
            all.nodes.insert(name.into(), node);
        }
        all.forget(100);
        assert_eq!((all.last("old", 1), all.last("new", 1)), (0, 9));
    }
}
