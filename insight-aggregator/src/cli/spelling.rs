//! The aggregator names parameters as a URL does, `focus=web`; on a command line they are flags.

use crate::graph::{PARTS, TIMES, ZONE};

/// What only some verbs have.
const OTHERS: [&str; 4] = ["before", "after", "thresholds", "step"];

/// Every parameter that a message may name.
fn names() -> impl Iterator<Item = &'static str> {
    let times = TIMES.into_iter().chain([ZONE]);
    times.chain(PARTS).chain(OTHERS)
}

/// The flag of a parameter: `--min-bytes` for `min_bytes`.
pub(super) fn flag(parameter: &str) -> String {
    format!("--{}", parameter.replace('_', "-"))
}

/// The text with parameters as flags: `focus=web&hops=2` is `--focus web --hops 2`, and "`at`" is `--at`.
pub(super) fn with_flags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((name, tail)) = parameter(rest, out.chars().next_back()) {
            if out.ends_with('&') {
                out.pop();
                out.push(' ');
            }
            out.push_str(&flag(name));
            rest = match tail.strip_prefix('=') {
                Some(value) => {
                    out.push(' ');
                    value
                }
                None => tail,
            };
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The parameter that a text starts with, and what comes after it: `name=`, of which the sign is left, or "`name`".
fn parameter(text: &str, before: Option<char>) -> Option<(&'static str, &str)> {
    names().find_map(|name| {
        let quoted = text
            .strip_prefix('`')
            .and_then(|text| text.strip_prefix(name))
            .and_then(|text| text.strip_prefix('`'));
        let is_start = before.is_none_or(|before| matches!(before, ' ' | '&'));
        let plain = text.strip_prefix(name);
        let plain = plain.filter(|tail| is_start && tail.starts_with('='));
        quoted.or(plain).map(|tail| (name, tail))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_flags_and_nothing_else_does() {
        for (text, expected) in [
            ("", ""),
            ("focus=web", "--focus web"),
            (
                "for example focus=a or focus=b&hops=2",
                "for example --focus a or --focus b --hops 2",
            ),
            (
                "`top` 7, top_by=bytes&min_bytes=5 or selector=app=web",
                "--top 7, --top-by bytes --min-bytes 5 or --selector app=web",
            ),
            (
                "leave `focus` out, or `at`, é",
                "leave --focus out, or --at, é",
            ),
            (
                "`unit=x` `it` whereto=1 to =2",
                "`unit=x` `it` whereto=1 to =2",
            ),
            ("(from=1 x=&to=2", "(from=1 x= --to 2"),
        ] {
            assert_eq!(with_flags(text), expected);
        }
    }
}
