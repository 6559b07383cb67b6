//! Which part of the graph, whatever the time.

use insight_proto::v1;

use super::{DEFAULT_HOPS, Direction, Filter, MAX_HOPS, QueryError, Top, TopBy, Traits, hints};
use crate::model::Level;

/// Which part of the graph. `GraphQuery` in `topology.proto` says what each field means, and in which order they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Part {
    /// How finely ends are told apart.
    pub level: Level,
    /// What is left out: rows that are one of these.
    pub without: Traits,
    /// Which edges are kept.
    pub filter: Filter,
    /// Only what is near one node.
    pub focus: Option<Focus>,
    /// Only the largest edges one by one.
    pub top: Option<Top>,
    /// Also nodes without any edge.
    pub unconnected: bool,
}

/// What is near one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Focus {
    /// Id, name or unambiguous start of an id of the node.
    pub node: String,
    /// Edges from it that are answered.
    pub hops: u32,
    /// Which way they are followed.
    pub direction: Direction,
}

impl Part {
    pub(super) fn parse(query: &v1::GraphQuery) -> Result<Self, QueryError> {
        let level = level(&query.level)?;
        let filter = Filter::parse(query)?;
        // Names, as finer levels have namespaces and more levels than these may come.
        if !filter.namespaces.is_empty() && matches!(level.as_str(), "node" | "zone") {
            return Err(hints::namespaces_at(level));
        }
        Ok(Self {
            level,
            without: Traits::parse(&query.without).map_err(hints::without)?,
            filter,
            focus: focus(query)?,
            top: top(query)?,
            unconnected: query.unconnected,
        })
    }
}

fn level(given: &str) -> Result<Level, QueryError> {
    named(given, Level::ALL, Level::as_str).ok_or_else(|| hints::level(given))
}

fn focus(query: &v1::GraphQuery) -> Result<Option<Focus>, QueryError> {
    let hops = query.hops.unwrap_or(DEFAULT_HOPS);
    if hops > MAX_HOPS {
        return Err(hints::hops(&hops.to_string()));
    }
    let direction = named(&query.direction, Direction::ALL, Direction::as_str)
        .ok_or_else(|| hints::direction(&query.direction))?;
    if query.focus.is_empty() {
        return match (query.hops, &*query.direction) {
            (Some(_), _) => Err(hints::hops_of_nothing()),
            (None, "") => Ok(None),
            (None, _) => Err(hints::direction_of_nothing()),
        };
    }
    if query.unconnected {
        return Err(hints::unconnected_near());
    }
    Ok(Some(Focus {
        node: query.focus.clone(),
        hops,
        direction,
    }))
}

fn top(query: &v1::GraphQuery) -> Result<Option<Top>, QueryError> {
    let by = named(&query.top_by, TopBy::ALL, TopBy::as_str)
        .ok_or_else(|| hints::top_by(&query.top_by))?;
    match query.top {
        Some(edges) => Ok(Some(Top { edges, by })),
        None if query.top_by.is_empty() => Ok(None),
        None => Err(hints::top_by_of_nothing()),
    }
}

/// The one with this name; an empty one means the default.
fn named<T: Default + Copy, const N: usize>(
    given: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Option<T> {
    if given.is_empty() {
        return Some(T::default());
    }
    all.into_iter().find(|known| name(*known) == given)
}
