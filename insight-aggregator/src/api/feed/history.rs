//! The last versions of a feed, for readers that come back.

use std::collections::VecDeque;
use std::sync::Arc;

use insight_proto::v1;

/// Versions that a reader can resume from: at the fastest pace of 20 a second, a pause of 1.6 s; at the usual pace of one
/// report interval, some minutes.
const MAX_VERSIONS: usize = 32;
/// Nodes and edges of all kept versions together, about 2 KiB each with their share of the deltas (measured
/// with 2,000 items), so that a large graph keeps fewer versions.
const MAX_ITEMS: usize = 100_000;

/// One state of the graph.
#[derive(Debug)]
pub(super) struct Version {
    /// Counts up from 1 within a feed.
    pub(super) number: u64,
    /// The whole graph.
    pub(super) graph: v1::Graph,
    /// What turns the version before into this one.
    pub(super) delta: Option<v1::GraphDelta>,
}

impl Version {
    fn items(&self) -> usize {
        self.graph.nodes.len() + self.graph.edges.len()
    }
}

/// The last versions, oldest first, without holes.
#[derive(Debug, Default)]
pub(super) struct History {
    versions: VecDeque<Arc<Version>>,
    items: usize,
}

impl History {
    /// Adds the newest and forgets the oldest beyond the limits; the newest always stays.
    pub(super) fn push(&mut self, version: Arc<Version>) {
        self.items += version.items();
        self.versions.push_back(version);
        while self.versions.len() > 1
            && (self.versions.len() > MAX_VERSIONS || self.items > MAX_ITEMS)
        {
            if let Some(oldest) = self.versions.pop_front() {
                self.items -= oldest.items();
            }
        }
    }

    pub(super) fn newest(&self) -> Option<&Arc<Version>> {
        self.versions.back()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Arc<Version>> {
        let first = self.versions.front()?.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.versions.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64, nodes: usize) -> Arc<Version> {
        let graph = v1::Graph {
            nodes: vec![v1::Node::default(); nodes],
            ..v1::Graph::default()
        };
        Arc::new(Version {
            number,
            graph,
            delta: None,
        })
    }

    #[test]
    fn the_oldest_versions_go_first() {
        let mut history = History::default();
        for number in 1..=100 {
            history.push(version(number, 1));
        }
        assert!(history.get(68).is_none());
        assert_eq!(history.get(69).unwrap().number, 69);
        assert_eq!(history.get(100).unwrap().number, 100);
        assert!(history.get(101).is_none());
    }

    #[test]
    fn a_huge_graph_keeps_only_its_newest_version() {
        let mut history = History::default();
        history.push(version(1, MAX_ITEMS));
        history.push(version(2, MAX_ITEMS + 1));
        assert!(history.get(1).is_none());
        assert_eq!(history.newest().unwrap().number, 2);
    }
}
