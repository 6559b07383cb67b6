//! Which edges a graph might have had, had its gaps been seen.

use std::collections::HashSet;

use insight_proto::v1;

use super::ById;

/// Where a time was not seen.
#[derive(Default)]
pub(super) struct Unseen<'g> {
    hidden: Places<'g>,
    blurred: Places<'g>,
}

/// Nodes of Linux, or all.
#[derive(Default)]
struct Places<'g> {
    nodes: HashSet<&'g str>,
    everywhere: bool,
}

impl<'g> Unseen<'g> {
    pub(super) fn of(graph: &'g v1::Graph) -> Self {
        let mut unseen = Self::default();
        for gap in &graph.gaps {
            match gap.reason.as_str() {
                // Names of a kind that was never known: at both times alike.
                "kubernetes_refused" => {}
                // Everything is counted, but not when.
                "coarse" => unseen.blurred.note(&gap.node),
                _ => {
                    unseen.hidden.note(&gap.node);
                    unseen.blurred.note(&gap.node);
                }
            }
        }
        unseen
    }

    /// Whether this edge of another time may have been there and not been seen.
    pub(super) fn has(&self, edge: &v1::Edge, nodes: &ById<'_>) -> bool {
        self.hidden.touch(edge, nodes)
    }

    /// Whether this node of another time, which has no edge of which that is true, may have.
    pub(super) fn has_node(&self, node: &v1::Node) -> bool {
        self.hidden.hold(node)
    }

    /// Whether its counts may be those of another time, or not all.
    pub(super) fn blurs(&self, edge: &v1::Edge, nodes: &ById<'_>) -> bool {
        self.blurred.touch(edge, nodes)
    }
}

impl<'g> Places<'g> {
    fn note(&mut self, node: &'g str) {
        if node.is_empty() {
            self.everywhere = true;
        } else {
            self.nodes.insert(node);
        }
    }

    fn touch(&self, edge: &v1::Edge, nodes: &ById<'_>) -> bool {
        let mut ends = [&edge.client, &edge.server].into_iter();
        ends.any(|end| nodes.get(end.as_str()).is_some_and(|end| self.hold(end)))
    }

    /// Whether it is, or may be, at one of these.
    fn hold(&self, node: &v1::Node) -> bool {
        if self.everywhere {
            return true;
        }
        match (node.kind.as_str(), node.node.as_str()) {
            // No agent sees it by itself.
            ("external", _) => false,
            ("node", "") => self.nodes.contains(node.name.as_str()),
            // A workload, a namespace, a zone: it may be on any of them.
            (_, "") => !self.nodes.is_empty(),
            (_, on) => self.nodes.contains(on),
        }
    }
}
