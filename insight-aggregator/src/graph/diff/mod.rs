//! Two times compared.

mod changes;
mod nodes;
#[cfg(test)]
mod tests;
mod thresholds;
mod unseen;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use insight_proto::v1;

use super::merge::{Pair, pairs};
use super::{Part, TopBy};

pub use thresholds::Thresholds;

use unseen::Unseen;

/// What of a question is about differences, and not about each time's graph.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    min_bytes: u64,
    min_connections: u64,
    top: Option<super::Top>,
}

impl Sizes {
    /// Takes it out of a question, which then is about all edges: one that is too small at one of two times has not gone.
    pub fn take(part: &mut Part) -> Self {
        Self {
            min_bytes: std::mem::take(&mut part.filter.min_bytes),
            min_connections: std::mem::take(&mut part.filter.min_connections),
            top: part.top.take(),
        }
    }

    fn keeps(&self, edge: &v1::Edge) -> bool {
        size(edge, TopBy::Bytes) >= self.min_bytes
            && size(edge, TopBy::Connections) >= self.min_connections
    }
}

/// What differs between two graphs of one level.
pub fn diff(
    before: &v1::Graph,
    after: &v1::Graph,
    thresholds: &Thresholds,
    sizes: &Sizes,
) -> v1::GraphDiff {
    let mut diff = v1::GraphDiff {
        before: Some(side(before)),
        after: Some(side(after)),
        level: after.level.clone(),
        thresholds: thresholds.to_proto(),
        ..v1::GraphDiff::default()
    };
    let (unseen_before, unseen_after) = (Unseen::of(before), Unseen::of(after));
    let (old, new) = (by_id(before), by_id(after));
    let scale = changes::Scale::of(before, after);
    for pair in pairs(&before.edges, &after.edges, |edge| &edge.id) {
        match pair {
            Pair::Old(edge) if !sizes.keeps(edge) => {}
            Pair::New(edge) if !sizes.keeps(edge) => {}
            Pair::Both(was, is) if !sizes.keeps(was) && !sizes.keeps(is) => {}
            Pair::Old(edge) => match unseen_after.has(edge, &old) {
                true => diff.perhaps_removed_edges.push(edge.clone()),
                false => diff.removed_edges.push(edge.clone()),
            },
            Pair::New(edge) => match unseen_before.has(edge, &new) {
                true => diff.perhaps_added_edges.push(edge.clone()),
                false => diff.added_edges.push(edge.clone()),
            },
            Pair::Both(was, is) => {
                let counters = changes::changes(was, is, &scale, thresholds);
                if counters.is_empty() {
                    diff.unchanged_edges += 1;
                    continue;
                }
                diff.changed_edges.push(v1::EdgeChange {
                    before: Some(was.clone()),
                    after: Some(is.clone()),
                    counters,
                    uncertain: unseen_before.blurs(was, &old) || unseen_after.blurs(is, &new),
                });
            }
        }
    }
    nodes::compare(&mut diff, before, after, [&unseen_before, &unseen_after]);
    if let Some(top) = sizes.top {
        keep_largest(&mut diff, top);
    }
    diff.nodes = ends(&diff, &old, &new);
    diff
}

fn side(graph: &v1::Graph) -> v1::graph_diff::Side {
    v1::graph_diff::Side {
        from: graph.from,
        to: graph.to,
        complete: graph.complete,
        gaps: graph.gaps.clone(),
    }
}

/// Nodes by their ids.
type ById<'g> = HashMap<&'g str, &'g v1::Node>;

fn by_id(graph: &v1::Graph) -> ById<'_> {
    let nodes = graph.nodes.iter();
    nodes.map(|node| (node.id.as_str(), node)).collect()
}

/// How large an edge is, by the view that counted more.
fn size(edge: &v1::Edge, by: TopBy) -> u64 {
    let views = [&edge.client_view, &edge.server_view].into_iter().flatten();
    let sizes = views.map(|view| match by {
        TopBy::Bytes => view.bytes_sent.saturating_add(view.bytes_received),
        TopBy::Connections => view.connections_opened,
        TopBy::Failures => view.connections_failed,
    });
    sizes.max().unwrap_or_default()
}

/// Leaves the edges that are the largest at the time at which they are larger.
fn keep_largest(diff: &mut v1::GraphDiff, top: super::Top) {
    let changed = diff.changed_edges.iter().map(|change| {
        let edges = [&change.before, &change.after].into_iter().flatten();
        let id = change.after.as_ref().map_or("", |edge| &edge.id);
        (edges.map(|edge| size(edge, top.by)).max().unwrap_or(0), id)
    });
    let lists = [
        &diff.added_edges,
        &diff.removed_edges,
        &diff.perhaps_added_edges,
        &diff.perhaps_removed_edges,
    ];
    let others = lists.into_iter().flatten();
    let others = others.map(|edge| (size(edge, top.by), edge.id.as_str()));
    let mut all: Vec<(u64, &str)> = changed.chain(others).collect();
    all.sort_unstable_by_key(|(size, id)| (Reverse(*size), *id));
    let most = usize::try_from(top.edges).unwrap_or(usize::MAX);
    let left_out = all.len().saturating_sub(most);
    let kept: std::collections::HashSet<String> = all
        .into_iter()
        .take(most)
        .map(|(_, id)| id.to_owned())
        .collect();
    diff.left_out_edges = left_out as u64;
    for edges in [
        &mut diff.added_edges,
        &mut diff.removed_edges,
        &mut diff.perhaps_added_edges,
        &mut diff.perhaps_removed_edges,
    ] {
        edges.retain(|edge| kept.contains(&edge.id));
    }
    diff.changed_edges.retain(|change| {
        let after = change.after.as_ref();
        after.is_some_and(|edge| kept.contains(&edge.id))
    });
}

/// The ends of all edges that are told.
fn ends(diff: &v1::GraphDiff, old: &ById<'_>, new: &ById<'_>) -> Vec<v1::Node> {
    let changed = diff.changed_edges.iter();
    let changed = changed.filter_map(|change| change.after.as_ref());
    let edges = [
        &diff.added_edges,
        &diff.removed_edges,
        &diff.perhaps_added_edges,
        &diff.perhaps_removed_edges,
    ];
    let ids = edges.into_iter().flatten().chain(changed);
    let ids = ids.flat_map(|edge| [edge.client.as_str(), edge.server.as_str()]);
    let nodes: BTreeMap<&str, &v1::Node> = ids
        .filter_map(|id| Some((id, *new.get(id).or_else(|| old.get(id))?)))
        .collect();
    nodes.into_values().cloned().collect()
}
