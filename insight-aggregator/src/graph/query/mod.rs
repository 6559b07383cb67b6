//! Which part of the graph, at which level and time.

mod error;

use insight_proto::v1;

use crate::model::{Level, UnixMs};

pub use error::QueryError;

/// Length of the default range: long enough to hold a cron job that runs every ten minutes, milliseconds.
pub const DEFAULT_RANGE_MS: i64 = 15 * 60_000;
/// Edges from the focus where the query does not say.
pub const DEFAULT_HOPS: u32 = 1;
/// Most edges from the focus; a dependency graph is rarely deeper, and more would be the whole graph.
pub const MAX_HOPS: u32 = 16;

/// A time range: from the first millisecond that counts to the first that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Its start, at a full minute.
    pub from: UnixMs,
    /// Its end: a full minute where it is past, else now.
    pub to: UnixMs,
}

/// A question that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The time.
    pub range: Range,
    /// How finely ends are told apart.
    pub level: Level,
    /// Id, name or unambiguous start of an id of a node.
    pub focus: Option<String>,
    /// Edges from the focus that are answered.
    pub hops: u32,
}

impl Query {
    /// Checks a question that was asked at `now`.
    pub fn parse(_query: &v1::GraphQuery, _now: UnixMs) -> Result<Self, QueryError> {
        unimplemented!()
    }
}

/// A question as HTTP parameters and command-line flags give it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryText {
    /// The 15 minutes that end here.
    pub at: Option<String>,
    /// Start of the range.
    pub from: Option<String>,
    /// End of the range.
    pub to: Option<String>,
    /// "container", "workload" or "node".
    pub level: Option<String>,
    /// Id, name or unambiguous start of an id of a node.
    pub focus: Option<String>,
    /// Edges from the focus, in digits.
    pub hops: Option<String>,
}

impl QueryText {
    /// The same question for gRPC; times relative to `now` become absolute.
    pub fn to_proto(&self, _now: UnixMs) -> Result<v1::GraphQuery, QueryError> {
        unimplemented!()
    }

    /// Checks the question, asked at `now`.
    pub fn parse(&self, now: UnixMs) -> Result<Query, QueryError> {
        Query::parse(&self.to_proto(now)?, now)
    }
}
