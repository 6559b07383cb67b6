//! What to write instead of what was wrong.

use super::traits::NAMES;
use super::{Direction, MAX_HOPS, QueryError, TopBy};
use crate::model::Level;

pub(super) fn time(field: &'static str, message: impl Into<String>) -> QueryError {
    QueryError::new(
        field,
        message,
        format!(
            "write {field}=2026-01-31T12:00:00Z, or, in UTC unless tz=Europe/Berlin names another zone, {field}=2026-01-31T12:00, \
             {field}=yesterday+14:00, {field}=monday+9:00 or {field}=14:00, or Unix seconds or milliseconds, or a time before now, for example {field}=-1h30m or {field}=-15m"
        ),
    )
}

pub(super) fn zone(given: &str) -> QueryError {
    QueryError::new(
        "tz",
        format!("there is no time zone {given:?}"),
        "write its name in the IANA database, for example tz=America/New_York or tz=Europe/Berlin",
    )
}

pub(super) fn window(given: &str) -> QueryError {
    QueryError::new(
        "window",
        format!("{given:?} is no length of time"),
        "write weeks, days, hours, minutes and seconds, for example window=1h30m or window=5m",
    )
}

pub(super) fn window_and_from() -> QueryError {
    QueryError::new(
        "window",
        "`window` says how long before its end the range starts, and `from` says where it does",
        "write either from=-2h or window=1h",
    )
}

pub(super) fn at_and_range() -> QueryError {
    QueryError::new(
        "at",
        "`at` cannot be combined with `from` or `to`: it stands for a range that ends there",
        "write either at=-1h or from=-2h and to=-1h",
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

pub(super) fn direction(given: &str) -> QueryError {
    let known = Direction::ALL.map(Direction::as_str).join(", ");
    let why = match given {
        "upstream" | "downstream" => {
            ": proxies call servers upstream, and tracing calls clients so"
        }
        _ => "",
    };
    QueryError::new(
        "direction",
        format!("there is no direction {given:?}{why}"),
        format!(
            "one of {known}: inbound is who calls the node, outbound whom it calls, for example \
             focus=nginx.service&direction=inbound"
        ),
    )
}

pub(super) fn direction_of_nothing() -> QueryError {
    QueryError::new(
        "direction",
        "a direction leads away from a node, and `focus` names none",
        "name the node too, for example focus=nginx.service&direction=inbound",
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

pub(super) fn too_many(field: &'static str, given: usize, most: usize) -> QueryError {
    let example = match field {
        "ports" => "a range holds many: ports=8000-8999",
        "kinds" => "leave it out for all of them, or write kinds=pod,deployment",
        "namespaces" => "labels can stand for many: selector=team=payments",
        _ => "each once is enough: protocols=tcp",
    };
    QueryError::new(
        field,
        format!("{given} are too many: it takes {most}"),
        example,
    )
}

pub(super) fn namespace(given: &str) -> QueryError {
    QueryError::new(
        "namespaces",
        format!("{given:?} cannot be a namespace: it has 1 to 63 small letters, digits and `-`"),
        "names in full, separated by commas, for example namespaces=shop,payments",
    )
}

pub(super) fn namespaces_at(level: Level) -> QueryError {
    QueryError::new(
        "namespaces",
        format!("nothing is in a namespace at level {}", level.as_str()),
        "ask for a finer level, for example level=workload&namespaces=shop",
    )
}

pub(super) fn selector(why: &str) -> QueryError {
    QueryError::new(
        "selector",
        why,
        "it is a Kubernetes label selector: app=web, tier!=db, app in (web,api), app notin (web), app, !app, joined by \
         commas, for example selector=app=web,tier!=db",
    )
}

pub(super) fn kind(given: &str) -> QueryError {
    QueryError::new(
        "kinds",
        format!("{given:?} cannot be a kind: it has 1 to 63 letters, digits, `-` and `.`"),
        "kinds of nodes, separated by commas, for example kinds=pod,deployment,external",
    )
}

pub(super) fn ports(given: &str) -> QueryError {
    QueryError::new(
        "ports",
        format!(
            "{given:?} is neither a port from 0 to 65535 nor a range of them, the lower one first"
        ),
        "separated by commas, for example ports=443,8000-8999",
    )
}

pub(super) fn protocol(given: &str) -> QueryError {
    QueryError::new(
        "protocols",
        format!("there is no protocol {given:?}"),
        "tcp, udp or both, for example protocols=udp",
    )
}

pub(super) fn number(field: &'static str, given: &str) -> QueryError {
    QueryError::new(
        field,
        format!("{given:?} is not a number from 0 on, in digits"),
        format!("for example {field}=1000"),
    )
}

pub(super) fn top(given: &str) -> QueryError {
    QueryError::new(
        "top",
        format!("{given:?} is not a number of edges, in digits"),
        "for example top=20&top_by=bytes",
    )
}

pub(super) fn top_by(given: &str) -> QueryError {
    let known = TopBy::ALL.map(TopBy::as_str).join(", ");
    QueryError::new(
        "top_by",
        format!("edges cannot be compared by {given:?}"),
        format!("one of {known}, for example top=20&top_by=failures"),
    )
}

pub(super) fn top_by_of_nothing() -> QueryError {
    QueryError::new(
        "top_by",
        "it says which edges are the largest, and `top` does not say how many",
        "say it too, for example top=20&top_by=failures",
    )
}

pub(super) fn unconnected(given: &str) -> QueryError {
    QueryError::new(
        "unconnected",
        format!("{given:?} is neither true nor false"),
        "for example unconnected=true",
    )
}

pub(super) fn unconnected_near() -> QueryError {
    QueryError::new(
        "unconnected",
        "a node without connections is not near to any other, so `focus` leaves it out",
        "leave one of the two out, for example unconnected=true",
    )
}
