//! Rows become edges.
//!
//! A connection is measured twice where agents see both ends, and the two rows meet here, when a graph is read: nothing
//! about the far end is decided earlier, so it does not matter which agent reports first, or how late. Two passes over
//! the rows: [`claims`] notes who was seen where, [`join`] gives every row its far end and adds it up. Where NAT stands between, rows meet by
//! what [`translate`] knows. Of all edges those are left that [`filter`], [`focus`] and [`top`] leave, in this order.

mod claims;
mod ends;
mod filter;
mod focus;
mod gaps;
mod home;
mod join;
mod map;
mod names;
mod parts_of;
mod resolve;
mod samples;
mod stale;
mod top;
mod translate;
mod unconnected;

#[cfg(test)]
mod tests;

use insight_proto::v1;

use super::query::time::to_proto;
use super::{Query, QueryError};
use crate::kubernetes::Index;
use crate::model::Window;

pub use parts_of::parts_of;

use ends::Ends;
use join::Joined;

/// The graph that `query` asks for, made of `window`, whose range it has, with the names that `index` knows. Nodes are those with edges, the focus, and those without edges if they are
/// asked for.
///
/// Errors: the focus is no node of this window, or several.
pub fn build(window: &Window, query: &Query, index: &Index) -> Result<v1::Graph, QueryError> {
    let part = &query.part;
    let mut ends = Ends::new(window, part.level, index);
    let mut joined = join::join(window, part.without, &mut ends, index);
    let mut alone = Vec::new();
    if part.unconnected {
        alone = unconnected::unconnected(window, &mut ends, &joined, &part.filter);
    }
    filter::keep(&mut joined, &ends, &part.filter);
    if let Some(focus) = &part.focus {
        let end = focus::find(&mut ends, &focus.node)?;
        focus::keep_near(&mut joined, end, focus.hops, focus.direction);
        alone.push(end);
    }
    let rest = part.top.and_then(|top| top::split(&mut joined, &ends, top));
    let mut gaps = gaps::gaps(window);
    gaps.extend(stale::gaps(window, index));
    Ok(v1::Graph {
        from: Some(to_proto(window.from)),
        to: Some(to_proto(window.to)),
        level: part.level.as_str().to_owned(),
        complete: gaps.is_empty(),
        gaps,
        nodes: nodes(window, &mut ends, &joined, alone, rest.as_ref()),
        edges: edges(&ends, &joined, rest.as_ref()),
    })
}

fn nodes<'w>(
    window: &'w Window,
    ends: &mut Ends<'w>,
    joined: &Joined,
    alone: Vec<ends::End>,
    rest: Option<&top::Rest>,
) -> Vec<v1::Node> {
    let mut used: Vec<ends::End> = joined
        .keys()
        .flat_map(|flow| [flow.client, flow.server])
        .chain(alone)
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
        .chain(rest.map(top::Rest::node))
        .collect();
    nodes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    nodes
}

fn edges(ends: &Ends<'_>, joined: &Joined, rest: Option<&top::Rest>) -> Vec<v1::Edge> {
    let mut edges: Vec<v1::Edge> = joined
        .iter()
        .map(|(flow, tally)| tally.edge(flow, ends))
        .chain(rest.map(|rest| rest.edge(ends)))
        .collect();
    edges.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    edges
}
