//! Rows become edges.
//!
//! A connection is measured twice where agents see both ends, and the two rows meet here, when a graph is read: nothing
//! about the far end is decided earlier, so it does not matter which agent reports first, or how late. Two passes over
//! the rows: [`claims`] notes who was seen where, [`join`] gives every row its far end and adds it up. Where NAT stands between, rows meet by
//! what [`translate`] knows.

mod claims;
mod ends;
mod focus;
mod gaps;
mod home;
mod join;
mod names;
mod resolve;
mod samples;
mod translate;

#[cfg(test)]
mod tests;

use insight_proto::v1;

use super::query::time::to_proto;
use super::{Query, QueryError};
use crate::kubernetes::Index;
use crate::model::Window;

use ends::Ends;
use join::Joined;

/// The graph that `query` asks for, made of `window`, whose range it has, with the names that `index` knows. Nodes are those with edges, and the focus.
///
/// Errors: the focus is no node of this window, or several.
pub fn build(window: &Window, query: &Query, index: &Index) -> Result<v1::Graph, QueryError> {
    let mut ends = Ends::new(window, query.level, index);
    let mut joined = join::join(window, query.without, &mut ends, index);
    let focus = match &query.focus {
        Some(focus) => {
            let focus = focus::find(&mut ends, focus)?;
            focus::keep_near(&mut joined, focus, query.hops);
            Some(focus)
        }
        None => None,
    };
    let gaps = gaps::gaps(window);
    Ok(v1::Graph {
        from: Some(to_proto(window.from)),
        to: Some(to_proto(window.to)),
        level: query.level.as_str().to_owned(),
        complete: gaps.is_empty(),
        gaps,
        nodes: nodes(window, &mut ends, &joined, focus),
        edges: edges(&ends, &joined),
    })
}

fn nodes<'w>(
    window: &'w Window,
    ends: &mut Ends<'w>,
    joined: &Joined,
    focus: Option<ends::End>,
) -> Vec<v1::Node> {
    let mut used: Vec<ends::End> = joined
        .keys()
        .flat_map(|flow| [flow.client, flow.server])
        .chain(focus)
        .collect();
    used.sort_unstable();
    used.dedup();
    let mut samples = samples::by_end(window, ends);
    let mut nodes: Vec<v1::Node> = used
        .into_iter()
        .map(|end| v1::Node {
            metrics: samples.remove(&end),
            ..ends.node(end)
        })
        .collect();
    nodes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    nodes
}

fn edges(ends: &Ends<'_>, joined: &Joined) -> Vec<v1::Edge> {
    let mut edges: Vec<v1::Edge> = joined
        .iter()
        .map(|(flow, tally)| tally.edge(flow, ends))
        .collect();
    edges.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    edges
}
