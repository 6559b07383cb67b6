//! A part of the graph around one node.

use std::collections::HashSet;

use super::ends::{End, Ends};
use super::join::{Flow, Joined};
use crate::graph::{Direction, QueryError};

/// Suggestions in an error.
const SUGGESTED: usize = 5;
/// Nodes that are compared with a name that nobody has; a comparison takes about 10 µs, and nobody waits longer for a
/// typing error than for the graph.
const COMPARED: usize = 10_000;
/// Letters of a name that are compared.
const LETTERS: usize = 100;

/// The end that is meant: by its id, its name, or the start of its id where only one starts so.
pub(super) fn find(ends: &mut Ends<'_>, focus: &str) -> Result<End, QueryError> {
    ends.meet_all();
    if let Some(end) = ends.by_id(focus) {
        return Ok(end);
    }
    let (namespace, bare) = focus.split_once('/').unwrap_or(("", focus));
    let is_named = |(end, _, name): &(End, &str, &str)| {
        *name == focus || *name == bare && ends.get(*end).namespace == namespace
    };
    let named: Vec<_> = ends.all().filter(is_named).collect();
    let started: Vec<_> = ends
        .all()
        .filter(|(_, id, _)| id.starts_with(focus))
        .collect();
    match (named.as_slice(), started.as_slice()) {
        ([(end, ..)], _) | ([], [(end, ..)]) => Ok(*end),
        ([], []) => Err(unknown(ends, focus)),
        ([], several) => Err(several_match("several ids start with", focus, several)),
        (several, _) => Err(several_match("several nodes are named", focus, several)),
    }
}

/// Drops the edges that are not on a way of at most so many edges from `focus`, followed in that direction.
pub(super) fn keep_near(joined: &mut Joined, focus: End, hops: u32, direction: Direction) {
    let mut near = HashSet::from([focus]);
    for _ in 1..hops {
        let further: Vec<End> = joined
            .keys()
            .flat_map(|flow| steps(flow, direction))
            .filter(|(from, to)| near.contains(from) && !near.contains(to))
            .map(|(_, to)| to)
            .collect();
        if further.is_empty() {
            break;
        }
        near.extend(further);
    }
    joined
        .retain(|flow, _| hops > 0 && steps(flow, direction).any(|(from, _)| near.contains(&from)));
}

/// From where to where an edge leads.
fn steps(flow: &Flow, direction: Direction) -> impl Iterator<Item = (End, End)> + use<> {
    let outbound = (flow.client, flow.server);
    let inbound = (flow.server, flow.client);
    let [is_out, is_in] = match direction {
        Direction::Both => [true, true],
        Direction::Inbound => [false, true],
        Direction::Outbound => [true, false],
    };
    let steps = [is_out.then_some(outbound), is_in.then_some(inbound)];
    steps.into_iter().flatten()
}

fn several_match(what: &str, focus: &str, several: &[(End, &str, &str)]) -> QueryError {
    let mut ids: Vec<&str> = several.iter().map(|(_, id, _)| *id).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.truncate(SUGGESTED);
    QueryError::new(
        "focus",
        format!("{what} {focus:?}: {count} of them"),
        format!(
            "write one id in full, for example focus={}",
            ids.join(" or focus=")
        ),
    )
}

fn unknown(ends: &Ends<'_>, focus: &str) -> QueryError {
    let mut close: Vec<(usize, &str, &str)> = ends
        .all()
        .take(COMPARED)
        .map(|(_, id, name)| (distance(focus, name).min(distance(focus, id)), name, id))
        .filter(|(far, ..)| *far <= focus.chars().count() / 2)
        .collect();
    close.sort_unstable();
    let close: Vec<String> = close
        .iter()
        .take(SUGGESTED)
        .map(|(_, name, id)| format!("{name} ({id})"))
        .collect();
    let hint = if close.is_empty() {
        "leave `focus` out to see every node, or ask for another time, for example from=-1h"
            .to_owned()
    } else {
        format!("close to it: {}", close.join(", "))
    };
    QueryError::new(
        "focus",
        format!("no node in this range has the id or name {focus:?}"),
        hint,
    )
}

/// How many letters differ (Levenshtein); 0 when one holds the other.
fn distance(wanted: &str, known: &str) -> usize {
    let letters = |text: &str| -> Vec<char> { text.to_lowercase().chars().take(LETTERS).collect() };
    let (wanted, known) = (letters(wanted), letters(known));
    if !wanted.is_empty() && known.windows(wanted.len()).any(|part| part == wanted) {
        return 0;
    }
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (i, a) in wanted.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in known.iter().enumerate() {
            let replaced = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[known.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters() {
        for (wanted, known, expected) in [
            ("nginx", "nginx", 0),
            ("ngin", "nginx.service", 0),
            ("NGINX", "nginx.service", 0),
            ("ngnix", "nginx", 2),
            ("redsi", "redis", 2),
            ("reds", "redis", 1),
            ("abc", "", 3),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(wanted, known), expected, "{wanted} {known}");
        }
    }
}
