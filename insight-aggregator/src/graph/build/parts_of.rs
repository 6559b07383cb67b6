//! Which entities an edge's ends are made of.

use std::collections::HashSet;

use super::ends::Ends;
use crate::kubernetes::Index;
use crate::model::{EntityId, Level, Window};

/// The entities of a window that are, or are part of, one of these nodes of its graph at this level.
pub fn parts_of(
    window: &Window,
    level: Level,
    index: &Index,
    nodes: [&str; 2],
) -> HashSet<EntityId> {
    let mut ends = Ends::new(window, level, index);
    let mut parts = HashSet::new();
    for id in window.entities.keys() {
        let end = ends.entity(id);
        if nodes.contains(&ends.id(end)) {
            parts.insert(EntityId::clone(id));
        }
    }
    parts
}
