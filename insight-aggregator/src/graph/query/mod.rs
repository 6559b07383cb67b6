//! Which part of the graph, at which level and time.

mod clock;
mod direction;
mod error;
mod filter;
mod hints;
mod part;
mod selector;
mod steps;
mod text;
pub(in crate::graph) mod time;
mod top;
mod traits;
mod wall;
mod when;

#[cfg(test)]
mod tests;

use insight_proto::v1;

use crate::model::{Minute, UnixMs};

pub use clock::Clock;
pub use direction::Direction;
pub use error::QueryError;
pub use filter::Filter;
pub use part::{Focus, Part};
pub use selector::Selector;
pub use steps::{Steps, history_request};
pub use text::{PARTS, QueryText, TIMES, ZONE};
pub use top::{Top, TopBy};
pub use traits::Traits;
pub use when::question_when;

/// Length of the default range, milliseconds: long enough to hold a job that runs every ten minutes.
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

impl Range {
    /// The 15 minutes that end at `now`, the open minute included: what a subscription runs over.
    pub fn running(now: UnixMs) -> Self {
        Self::rounded(now.saturating_sub(DEFAULT_RANGE_MS), now, now)
    }

    /// Widened to full minutes, which is how rows are kept, but not into the future.
    fn rounded(from: UnixMs, to: UnixMs, now: UnixMs) -> Self {
        let full = Minute::of(to.saturating_sub(1)).end();
        Self {
            from: Minute::of(from).start(),
            to: if full <= now { full } else { to.min(now) },
        }
    }
}

/// A question that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The time.
    pub range: Range,
    /// Which part.
    pub part: Part,
}

impl Query {
    /// Checks a question that was asked at `now`. An end of the range that is still to come means now.
    pub fn parse(query: &v1::GraphQuery, now: UnixMs) -> Result<Self, QueryError> {
        Ok(Self {
            range: range(query, now)?,
            part: Part::parse(query)?,
        })
    }
}

/// How long the range is, milliseconds, if the question says.
fn window(query: &v1::GraphQuery) -> Result<Option<i64>, QueryError> {
    let Some(window) = &query.window else {
        return Ok(None);
    };
    let length = window.seconds.checked_mul(1000);
    let length = length.and_then(|ms| ms.checked_add(i64::from(window.nanos) / 1_000_000));
    match length.filter(|length| *length > 0 && (0..1_000_000_000).contains(&window.nanos)) {
        None => Err(hints::window(&format!("{}s", window.seconds))),
        length => Ok(length),
    }
}

fn range(query: &v1::GraphQuery, now: UnixMs) -> Result<Range, QueryError> {
    if query.at.is_some() && (query.from.is_some() || query.to.is_some()) {
        return Err(hints::at_and_range());
    }
    if query.window.is_some() && query.from.is_some() {
        return Err(hints::window_and_from());
    }
    let moment = |field, at: &Option<prost_types::Timestamp>| {
        at.as_ref()
            .map(time::from_proto)
            .transpose()
            .map_err(|message| hints::time(field, message))
    };
    let (end_field, end) = match moment("at", &query.at)? {
        Some(at) => ("at", Some(at)),
        None => ("to", moment("to", &query.to)?),
    };
    let (start_field, start) = match moment("from", &query.from)? {
        Some(from) => ("from", from),
        None => {
            let length = window(query)?.unwrap_or(DEFAULT_RANGE_MS);
            (end_field, end.unwrap_or(now).saturating_sub(length).max(0))
        }
    };
    if start > now {
        return Err(hints::time(
            start_field,
            "nothing has been counted yet: the range starts in the future",
        ));
    }
    let to = end.unwrap_or(now).min(now);
    if start >= to {
        return Err(hints::time(
            start_field,
            "the range is empty: it starts at or after its end",
        ));
    }
    Ok(Range::rounded(start, to, now))
}
