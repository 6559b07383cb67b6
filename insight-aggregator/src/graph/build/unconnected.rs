//! Nodes without any edge.

use std::collections::HashSet;

use super::ends::{End, Ends};
use super::filter::is_asked_for;
use super::join::Joined;
use crate::graph::Filter;
use crate::model::Window;

/// The nodes that `filter` asks for and that no edge of `joined` has, which are all edges.
pub(super) fn unconnected<'w>(
    window: &'w Window,
    ends: &mut Ends<'w>,
    joined: &Joined,
    filter: &Filter,
) -> Vec<End> {
    let flows = joined.keys();
    let connected: HashSet<End> = flows.flat_map(|flow| [flow.client, flow.server]).collect();
    let mut alone = known(window, ends);
    alone.retain(|end| !connected.contains(end) && is_asked_for(ends, *end, filter));
    alone
}

/// Whoever is known to have been there, with connections or without; it does not matter if somebody is there twice.
fn known<'w>(window: &'w Window, ends: &mut Ends<'w>) -> Vec<End> {
    let entities = window.entities.keys();
    entities.map(|id| ends.entity(id)).collect()
}
