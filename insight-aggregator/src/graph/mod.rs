//! Rows of a time range become the dependency graph.
//!
//! Everything here is a pure function of a [`Window`](crate::model::Window) or of graphs: [`Query`] says what is asked,
//! [`build`] joins the rows of both ends into edges, [`diff`], [`delta`] and [`apply`] compare graphs, and [`render`]
//! writes them for people.

mod build;
mod delta;
mod diff;
mod merge;
mod query;
pub mod render;
#[cfg(test)]
mod testing;

pub use build::{build, parts_of};
pub use delta::{apply, delta};
pub use diff::{Sizes, Thresholds, diff};
pub use query::{
    Clock, DEFAULT_HOPS, DEFAULT_RANGE_MS, Direction, Filter, Focus, MAX_HOPS, PARTS, Part, Query,
    QueryError, QueryText, Range, Selector, Steps, TIMES, Top, TopBy, Traits, ZONE,
    history_request, question_when,
};
