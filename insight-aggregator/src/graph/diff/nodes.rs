//! Nodes at two times.

use std::collections::HashSet;

use insight_proto::v1;

use super::super::merge::{Pair, pairs};
use super::unseen::Unseen;

/// Adds what differs of the nodes, after what differs of the edges is known.
pub(super) fn compare(
    diff: &mut v1::GraphDiff,
    before: &v1::Graph,
    after: &v1::Graph,
    [unseen_before, unseen_after]: [&Unseen<'_>; 2],
) {
    // What is outside may have been called by whom nobody saw.
    let perhaps_old = ends_of(&diff.perhaps_removed_edges);
    let perhaps_new = ends_of(&diff.perhaps_added_edges);
    for pair in pairs(&before.nodes, &after.nodes, |node| &node.id) {
        match pair {
            Pair::Old(node) => {
                let is_unseen = unseen_after.has_node(node) || perhaps_old.contains(&node.id);
                match is_unseen {
                    true => diff.perhaps_removed_nodes.push(node.clone()),
                    false => diff.removed_nodes.push(node.clone()),
                }
            }
            Pair::New(node) => {
                let is_unseen = unseen_before.has_node(node) || perhaps_new.contains(&node.id);
                match is_unseen {
                    true => diff.perhaps_added_nodes.push(node.clone()),
                    false => diff.added_nodes.push(node.clone()),
                }
            }
            Pair::Both(was, is) => {
                let fields = fields(was, is);
                if !fields.is_empty() {
                    diff.changed_nodes.push(v1::NodeChange {
                        before: Some(was.clone()),
                        after: Some(is.clone()),
                        fields,
                    });
                }
            }
        }
    }
}

fn ends_of(edges: &[v1::Edge]) -> HashSet<String> {
    let ends = edges.iter().flat_map(|edge| [&edge.client, &edge.server]);
    ends.cloned().collect()
}

/// The fields in which they differ; the newest sample of CPU and memory always does.
fn fields(was: &v1::Node, is: &v1::Node) -> Vec<String> {
    let fields = [
        ("kind", was.kind != is.kind),
        ("name", was.name != is.name),
        ("namespace", was.namespace != is.namespace),
        ("node", was.node != is.node),
        ("labels", was.labels != is.labels),
        (
            "kubernetes_labels",
            was.kubernetes_labels != is.kubernetes_labels,
        ),
        ("zone", was.zone != is.zone),
        ("workload", was.workload != is.workload),
        ("services", was.services != is.services),
    ];
    let fields = fields.into_iter().filter(|(_, differs)| *differs);
    fields.map(|(name, _)| name.to_owned()).collect()
}
