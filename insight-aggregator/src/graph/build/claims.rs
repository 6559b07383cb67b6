//! Who was seen where.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::Hash;
use std::net::IpAddr;

use super::ends::End;
use super::map::{Map, Set};
use super::translate::Way;
use crate::model::{Eras, Protocol, RowKey, Sum, UnixMs};

/// Who says "that is me" of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody.
    #[default]
    Nobody,
    /// One end: the usual case, kept without an allocation.
    One(End),
    /// Several ends: which of them it was cannot be told from the address.
    Several(BTreeSet<End>),
}

impl Claim {
    /// For the places that nobody was seen at.
    const NOBODY: &'static Self = &Self::Nobody;

    fn add(&mut self, end: End) {
        match self {
            Self::Nobody => *self = Self::One(end),
            Self::One(known) if *known == end => {}
            Self::One(known) => *self = Self::Several(BTreeSet::from([*known, end])),
            Self::Several(known) => {
                known.insert(end);
            }
        }
    }

    /// What both say together.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        match other {
            Self::Nobody => {}
            Self::One(end) => both.add(*end),
            Self::Several(ends) => ends.iter().for_each(|end| both.add(*end)),
        }
        both
    }
}

/// What both ends of a flow agree on, so that their rows meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) scope: u64,
    pub(super) client: IpAddr,
    pub(super) server: IpAddr,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
}

impl Pair {
    pub(super) fn of(key: &RowKey) -> Self {
        Self {
            scope: key.scope,
            client: key.client_addr(),
            server: key.server_addr(),
            port: key.port,
            protocol: key.protocol,
        }
    }
}

/// An address, or a port at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) scope: u64,
    pub(super) address: IpAddr,
    pub(super) port: Option<(u16, Protocol)>,
}

/// Who was seen when.
type Then = Vec<(End, Span)>;

/// The time in which something was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: UnixMs,
    pub(super) to: UnixMs,
}

impl Span {
    pub(super) fn of(sum: &Sum) -> Self {
        Self {
            from: sum.first_seen,
            to: sum.last_seen,
        }
    }

    fn meets(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// Who was seen at either end of every pair of addresses, at every port and at every address.
#[derive(Default)]
pub(super) struct Claims {
    clients: Map<Pair, Claim>,
    servers: Map<Pair, Claim>,
    places: Map<Place, Claim>,
    /// The same where an address changed hands, with the times.
    clients_then: Map<Pair, Then>,
    servers_then: Map<Pair, Then>,
    places_then: Map<Place, Then>,
    /// Where a row is Insight's own, so that the other end's is, too.
    own: Set<Pair>,
    /// Pairs whose client's address hides who the client is.
    masked: Set<Pair>,
}

impl Claims {
    /// Notes that `end` measured this row.
    pub(super) fn note(&mut self, key: &RowKey, sum: &Sum, end: End, eras: &Eras) {
        if key.is_overflow() {
            return;
        }
        if eras.has(key.local_addr) || eras.has(key.remote_addr) {
            self.note_then(key, Span::of(sum), end);
        }
        let side = if key.side.is_server() {
            &mut self.servers
        } else {
            &mut self.clients
        };
        if key.remote_prefix == 0 {
            side.entry(Pair::of(key)).or_default().add(end);
            if key.own {
                self.own.insert(Pair::of(key));
            }
        }
        let here = Place {
            scope: key.scope,
            address: key.local_addr,
            port: None,
        };
        self.places.entry(here).or_default().add(end);
        if key.side.is_server() {
            let port = Some((key.port, key.protocol));
            self.places
                .entry(Place { port, ..here })
                .or_default()
                .add(end);
        }
    }

    fn note_then(&mut self, key: &RowKey, span: Span, end: End) {
        let side = if key.side.is_server() {
            &mut self.servers_then
        } else {
            &mut self.clients_then
        };
        side.entry(Pair::of(key)).or_default().push((end, span));
        let here = Place {
            scope: key.scope,
            address: key.local_addr,
            port: None,
        };
        self.places_then.entry(here).or_default().push((end, span));
        if key.side.is_server() {
            let port = Some((key.port, key.protocol));
            let listener = self.places_then.entry(Place { port, ..here });
            listener.or_default().push((end, span));
        }
    }

    /// Whether the other end says that the connections between the two are Insight's own.
    pub(super) fn is_own(&self, pair: &Pair) -> bool {
        !self.own.is_empty() && self.own.contains(pair)
    }

    /// Notes that connections of a row, which `end` measured, went this way.
    pub(super) fn note_way(&mut self, way: &Way, key: &RowKey, end: End) {
        if key.own {
            self.own.insert(way.pair);
        }
        if way.is_masked {
            self.masked.insert(way.pair);
        } else {
            self.clients.entry(way.pair).or_default().add(end);
        }
    }

    /// Whose sockets were at the server's end.
    pub(super) fn servers(&self, pair: &Pair, span: Span) -> Cow<'_, Claim> {
        at(&self.servers, &self.servers_then, pair, span)
    }

    /// Whose sockets were at the client's end; nothing if its address is one that others share.
    pub(super) fn clients(&self, pair: &Pair, span: Span) -> Option<Cow<'_, Claim>> {
        if self.masked.contains(pair) {
            return None;
        }
        Some(at(&self.clients, &self.clients_then, pair, span))
    }

    /// Who was seen at a place.
    pub(super) fn at(&self, place: &Place, span: Span) -> Cow<'_, Claim> {
        at(&self.places, &self.places_then, place, span)
    }
}

/// Who made a claim: where several did because the address changed hands, those who did in this time.
fn at<'c, K: Eq + Hash>(
    all: &'c Map<K, Claim>,
    then: &Map<K, Then>,
    of: &K,
    span: Span,
) -> Cow<'c, Claim> {
    let claim = all.get(of).unwrap_or(Claim::NOBODY);
    let (Claim::Several(_), Some(then)) = (claim, then.get(of)) else {
        return Cow::Borrowed(claim);
    };
    let mut in_time = Claim::Nobody;
    let met = then.iter().filter(|(_, other)| span.meets(*other));
    met.for_each(|(end, _)| in_time.add(*end));
    match in_time {
        Claim::Nobody => Cow::Borrowed(claim),
        in_time => Cow::Owned(in_time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_one_until_somebody_else_makes_it() {
        let mut claim = Claim::default();
        claim.add(End(1));
        claim.add(End(1));
        assert_eq!(claim, Claim::One(End(1)));
        assert_eq!(claim.and(Claim::NOBODY), claim);
        assert_eq!(Claim::NOBODY.and(&claim), claim);
        assert_eq!(claim.and(&claim), claim);
        let mut several = claim.and(&Claim::One(End(0)));
        several.add(End(1));
        let both = BTreeSet::from([End(0), End(1)]);
        assert_eq!(several, Claim::Several(both));
        assert_eq!(claim.and(&several), several);
    }
}
