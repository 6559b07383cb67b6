//! What to write instead of what was wrong.

use super::traits::NAMES;
use super::{MAX_HOPS, QueryError};
use crate::model::Level;

pub(super) fn time(field: &'static str, message: impl Into<String>) -> QueryError {
    QueryError::new(
        field,
        message,
        format!(
            "write RFC 3339 with an offset, Unix seconds or milliseconds, or a time before now, for example \
             {field}=2026-01-31T12:00:00Z or {field}=-15m"
        ),
    )
}

pub(super) fn hops(given: &str) -> QueryError {
    QueryError::new(
        "hops",
        format!("{given:?} is not a number from 0 to {MAX_HOPS}"),
        "for example focus=nginx.service&hops=2",
    )
}

pub(super) fn hops_of_nothing() -> QueryError {
    QueryError::new(
        "hops",
        "hops are counted from a node, and `focus` names none",
        "name the node too, for example focus=nginx.service&hops=2",
    )
}

pub(super) fn level(given: &str) -> QueryError {
    let known = Level::ALL.map(Level::as_str).join(", ");
    QueryError::new(
        "level",
        format!("there is no level {given:?}"),
        format!("one of {known}, for example level=workload"),
    )
}

pub(super) fn without(given: &str) -> QueryError {
    let known = NAMES.join(", ");
    QueryError::new(
        "without",
        format!("{given:?} is nothing that can be left out"),
        format!("some of {known}, for example without=loopback,own"),
    )
}

pub(super) fn at_and_range() -> QueryError {
    QueryError::new(
        "at",
        "`at` cannot be combined with `from` or `to`: it stands for the 15 minutes that end there",
        "write either at=-1h or from=-2h and to=-1h",
    )
}
