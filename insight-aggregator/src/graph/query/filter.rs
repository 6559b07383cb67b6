//! Which edges are kept.

use std::ops::RangeInclusive;

use insight_proto::v1;

use super::{QueryError, Selector, hints};
use crate::model::Protocol;

/// Entries of a list. A live part of the graph keeps them, and every edge or end is compared with them.
pub(super) const MAX_ENTRIES: usize = 64;
/// Bytes of a selector, which is kept likewise.
pub(super) const MAX_SELECTOR: usize = 4_096;
/// Letters of a namespace or a kind: Kubernetes has no longer ones.
const MAX_NAME: usize = 63;

/// Which edges are kept: those that meet everything here. Lists are sorted, each entry once, and an empty one requires nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Kubernetes namespaces, one of which has an end, the same that `selector` matches.
    pub namespaces: Vec<String>,
    /// What the labels of that end are.
    pub selector: Selector,
    /// Kinds in small letters, one of which an end is, this one or the other.
    pub kinds: Vec<String>,
    /// Ports of the server.
    pub ports: Vec<(u16, u16)>,
    /// Transport protocols.
    pub protocols: Vec<Protocol>,
    /// Payload bytes, both ways together.
    pub min_bytes: u64,
    /// Established connections.
    pub min_connections: u64,
}

impl Filter {
    pub(super) fn parse(query: &v1::GraphQuery) -> Result<Self, QueryError> {
        if query.selector.len() > MAX_SELECTOR {
            return Err(hints::selector("it is longer than 4,096 bytes"));
        }
        Ok(Self {
            namespaces: list("namespaces", &query.namespaces, namespace)?,
            selector: Selector::parse(&query.selector).map_err(|why| hints::selector(&why))?,
            kinds: list("kinds", &query.kinds, kind)?,
            ports: list("ports", &query.ports, ports)?,
            protocols: list("protocols", &query.protocols, protocol)?,
            min_bytes: query.min_bytes,
            min_connections: query.min_connections,
        })
    }

    /// Whether a server's port is among those asked for.
    pub fn has_port(&self, port: u16) -> bool {
        let holds = |(first, last): &(u16, u16)| RangeInclusive::new(*first, *last).contains(&port);
        self.ports.is_empty() || self.ports.iter().any(holds)
    }

    /// Whether a protocol is among those asked for.
    pub fn has_protocol(&self, protocol: Protocol) -> bool {
        self.protocols.is_empty() || self.protocols.contains(&protocol)
    }
}

fn list<T: Ord>(
    field: &'static str,
    given: &[String],
    read: impl Fn(&str) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    if given.len() > MAX_ENTRIES {
        return Err(hints::too_many(field, given.len(), MAX_ENTRIES));
    }
    let entries = given.iter().map(|entry| read(entry));
    let mut entries: Vec<T> = entries.collect::<Result<_, _>>()?;
    entries.sort_unstable();
    entries.dedup();
    Ok(entries)
}

fn namespace(name: &str) -> Result<String, QueryError> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_one = !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(inner);
    let is_one = is_one && !name.starts_with('-') && !name.ends_with('-');
    is_one
        .then(|| name.to_owned())
        .ok_or_else(|| hints::namespace(name))
}

fn kind(name: &str) -> Result<String, QueryError> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let is_one = !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(inner);
    is_one
        .then(|| name.to_ascii_lowercase())
        .ok_or_else(|| hints::kind(name))
}

/// "443" or "8000-8999".
fn ports(text: &str) -> Result<(u16, u16), QueryError> {
    let wrong = || hints::ports(text);
    // "+80" is a number for Rust.
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_plain).ok_or_else(wrong)
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if first > last {
        return Err(wrong());
    }
    Ok((first, last))
}

fn protocol(name: &str) -> Result<Protocol, QueryError> {
    [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .find(|protocol| protocol.as_str().eq_ignore_ascii_case(name))
        .ok_or_else(|| hints::protocol(name))
}
