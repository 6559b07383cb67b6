//! Their text, as `kubectl --selector` reads it.

use super::{Requirement, Selector, Test};

/// Characters of a name and of a value.
const MAX_NAME: usize = 63;
/// Characters of what stands before the slash in a key.
const MAX_PREFIX: usize = 253;

impl Selector {
    /// Reads the text; an empty one requires nothing. An error says what is wrong.
    pub(in crate::graph::query) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let parts = parts(text)?.into_iter();
        let mut all: Vec<Requirement> = parts.map(requirement).collect::<Result<_, _>>()?;
        all.sort_unstable();
        all.dedup();
        Ok(Self(all))
    }
}

/// What commas outside of parentheses separate.
fn parts(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut start, mut is_inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match (c, is_inside) {
            ('(', false) => is_inside = true,
            (')', true) => is_inside = false,
            ('(', true) | (')', false) => {
                return Err(format!("a parenthesis too many in {text:?}"));
            }
            (',', false) => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if is_inside {
        return Err(format!("a parenthesis is not closed in {text:?}"));
    }
    parts.push(text[start..].trim());
    Ok(parts)
}

fn requirement(text: &str) -> Result<Requirement, String> {
    if text.is_empty() {
        return Err("there is nothing between two commas, or beside one".to_owned());
    }
    let one = |value: &str| checked_value(value.trim()).map(|value| vec![value]);
    // Before what it begins with: "!=" has an equals sign too.
    let (key, test) = if let Some(key) = text.strip_prefix('!') {
        (key, Test::Missing)
    } else if let Some((key, value)) = text.split_once("!=") {
        (key, Test::NoneOf(one(value)?))
    } else if let Some((key, value)) = text.split_once("==") {
        (key, Test::OneOf(one(value)?))
    } else if let Some((key, value)) = text.split_once('=') {
        (key, Test::OneOf(one(value)?))
    } else if let Some((left, list)) = text.split_once('(') {
        let (key, operator) = left
            .trim()
            .rsplit_once(char::is_whitespace)
            .ok_or_else(|| {
                format!("{text:?} has no operator: write `in` or `notin` before its parenthesis")
            })?;
        let values = values(text, list)?;
        match operator {
            "in" => (key, Test::OneOf(values)),
            "notin" => (key, Test::NoneOf(values)),
            other => return Err(format!("{other:?} is no operator")),
        }
    } else {
        (text, Test::Exists)
    };
    Ok(Requirement {
        key: checked_key(key.trim())?,
        test,
    })
}

/// "web, api)" as sorted values.
fn values(text: &str, list: &str) -> Result<Vec<String>, String> {
    let list = list.strip_suffix(')');
    let list = list.ok_or_else(|| format!("something follows the parenthesis in {text:?}"))?;
    if list.trim().is_empty() {
        return Err(format!("{text:?} lists no value"));
    }
    let values = list.split(',').map(|value| checked_value(value.trim()));
    let mut values: Vec<String> = values.collect::<Result<_, _>>()?;
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn checked_key(key: &str) -> Result<String, String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let is_domain = |prefix: &str| prefix.len() <= MAX_PREFIX && prefix.split('.').all(is_name);
    if is_name(name) && prefix.is_none_or(is_domain) {
        Ok(key.to_owned())
    } else {
        Err(format!("{key:?} cannot be the key of a label"))
    }
}

fn checked_value(value: &str) -> Result<String, String> {
    if value.is_empty() || is_name(value) {
        Ok(value.to_owned())
    } else {
        Err(format!("{value:?} cannot be the value of a label"))
    }
}

/// Letters and digits, with `-`, `_` and `.` between them.
fn is_name(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut chars = text.chars();
    text.len() <= MAX_NAME
        && chars.all(inner)
        && ends(text.chars().next())
        && ends(text.chars().next_back())
}
