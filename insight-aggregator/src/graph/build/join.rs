//! Every row gets its far end, and is added to its edge.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use insight_proto::v1;
use xxhash_rust::xxh3::xxh3_64;

use super::claims::{Claims, Pair, Span};
use super::ends::{End, Ends};
use super::map::Map;
use super::resolve::FarEnds;
use super::translate::{Spread, Way, asked, service_of, ways};
use crate::graph::query::Traits;
use crate::graph::query::time::to_proto;
use crate::kubernetes::Index;
use crate::model::{Counters, Protocol, RowKey, Side, Sum, Times, UnixMs, Window};

/// Dialed addresses that an edge names: a proxy that all connections are led to stands for any number.
const DIALED_NAMED: usize = 64;

/// What an edge is the only one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    pub(super) client: End,
    pub(super) server: End,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
}

/// An edge's counts, each side from its own point of view, and what its clients dialed.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) client: Option<Counters>,
    pub(super) server: Option<Counters>,
    role_known: bool,
    first_seen: UnixMs,
    last_seen: UnixMs,
    /// What all its rows are.
    traits: Traits,
    dialed: BTreeSet<SocketAddr>,
}

/// All edges.
pub(super) type Joined = Map<Flow, Tally>;

/// Joins the rows of both sides, but for those that are to be left out. Those too say who is where.
pub(super) fn join<'w>(
    window: &'w Window,
    without: Traits,
    ends: &mut Ends<'w>,
    index: &'w Index,
) -> Joined {
    let mut claims = Claims::default();
    let mut locals = Vec::with_capacity(window.rows.len());
    for (key, sum) in window.rows.iter() {
        let local = ends.entity(&key.local);
        claims.note(key, sum, local, &window.eras);
        for way in ways(window, key) {
            claims.note_way(&way, key, local);
        }
        locals.push(local);
    }
    let mut far = FarEnds::new(window, claims, ends, index);
    let mut joined = Joined::default();
    let mut spread = Vec::new();
    for ((key, sum), local) in window.rows.iter().zip(locals) {
        // Such a row says who is where, but nothing happened.
        if sum.counters == Counters::default() {
            continue;
        }
        let is_own = |way: Way| far.claims.is_own(&way.pair);
        let traits = Traits {
            loopback: key.is_loopback(),
            own: key.own || far.claims.is_own(&Pair::of(key)) || ways(window, key).any(is_own),
        };
        if traits.meet(without) {
            continue;
        }
        let row = Row {
            key,
            sum,
            local,
            traits,
        };
        match row.place(window, &mut far) {
            Placed::Nowhere => {}
            Placed::At { flow, dialed } => {
                let tally = add(&mut joined, flow, key.side, sum, traits);
                tally.dial(dialed.into_iter().chain(asked(window, key)));
            }
            Placed::Spread(row) => spread.push(row),
        }
    }
    for row in spread {
        add_spread(&mut joined, &row);
    }
    joined
}

/// A row with the end that measured it.
struct Row<'w> {
    key: &'w RowKey,
    sum: &'w Sum,
    local: End,
    traits: Traits,
}

/// Where a row's counts belong.
enum Placed<'w> {
    /// To no edge: others have told them.
    Nowhere,
    /// To this one; its clients dialed a Service's address.
    At {
        flow: Flow,
        dialed: Option<SocketAddr>,
    },
    /// To one of several, and nobody knows how much to which.
    Spread(Spread<'w>),
}

impl<'w> Row<'w> {
    fn place(&self, window: &'w Window, far: &mut FarEnds<'_, 'w>) -> Placed<'w> {
        let (key, span, local) = (self.key, Span::of(self.sum), self.local);
        let flow = |client, server, port| Flow {
            client,
            server,
            port,
            protocol: key.protocol,
        };
        let at = |flow, dialed| Placed::At { flow, dialed };
        if key.is_overflow() {
            return at(flow(local, local, key.port), None);
        }
        if key.side.is_server() {
            return match far.client(key, span, local) {
                Some(client) => at(flow(client, local, key.port), None),
                None => Placed::Nowhere,
            };
        }
        let mut to: BTreeSet<(End, u16)> = ways(window, key)
            .map(|way| (far.reached(&way.pair, span, local), way.pair.port))
            .collect();
        // What one connection was seen to do, the next one need not: all of a Service's backends are possible.
        let service = far.service(key, span);
        if let Some((_, backends)) = &service {
            to.extend(backends);
        } else if to.is_empty() {
            to = far.successors(key, span);
        }
        if let (1, Some((server, port))) = (to.len(), to.first()) {
            return at(flow(local, *server, *port), Some(service_of(key)));
        }
        let rest = match service {
            Some((service, _)) => far.service_end(service),
            None => far.server(key, span, local),
        };
        if to.is_empty() {
            return at(flow(local, rest, key.port), None);
        }
        Placed::Spread(Spread {
            client: local,
            rest,
            key,
            sum: self.sum,
            traits: self.traits,
            to,
        })
    }
}

/// A row of which nobody knows how much went where: every backend that an agent watches has told its own part, and to add the client's sum to any
/// of these edges would count it several times. What they did not tell stays with the address: one is not watched, or has not told it yet.
fn add_spread(joined: &mut Joined, row: &Spread<'_>) {
    let mut told = Counters::default();
    for flow in row.flows() {
        if let Some(tally) = joined.get_mut(&flow) {
            if let Some(server) = tally.server {
                told.add_peer(&turned(server));
            }
            tally.dial([service_of(row.key)].into_iter());
        }
    }
    if let Some(sum) = row.rest(&told) {
        let flow = Flow {
            client: row.client,
            server: row.rest,
            port: row.key.port,
            protocol: row.key.protocol,
        };
        add(joined, flow, Side::Client, &sum, row.traits);
    }
}

fn add<'a>(
    joined: &'a mut Joined,
    flow: Flow,
    side: Side,
    sum: &Sum,
    traits: Traits,
) -> &'a mut Tally {
    let tally = joined
        .entry(flow)
        .or_insert_with(|| Tally::starting(sum, traits));
    tally.add(side, sum, traits);
    tally
}

impl Tally {
    fn starting(sum: &Sum, traits: Traits) -> Self {
        Self {
            client: None,
            server: None,
            role_known: false,
            first_seen: sum.first_seen,
            last_seen: sum.last_seen,
            traits,
            dialed: BTreeSet::new(),
        }
    }

    fn dial(&mut self, addresses: impl Iterator<Item = SocketAddr>) {
        self.dialed.extend(addresses);
    }

    fn add(&mut self, side: Side, sum: &Sum, traits: Traits) {
        let view = if side.is_server() {
            &mut self.server
        } else {
            &mut self.client
        };
        self.role_known |= side.is_known();
        view.get_or_insert_default().add_peer(&sum.counters);
        self.first_seen = self.first_seen.min(sum.first_seen);
        self.last_seen = self.last_seen.max(sum.last_seen);
        self.traits = self.traits.and(traits);
    }

    /// Adds another edge's counts to these. What its clients dialed is left off.
    pub(super) fn add_edge(&mut self, other: &Self) {
        let views = [
            (&mut self.client, &other.client),
            (&mut self.server, &other.server),
        ];
        for (view, other) in views {
            if let Some(other) = other {
                view.get_or_insert_default().add_peer(other);
            }
        }
        self.role_known |= other.role_known;
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.traits = self.traits.and(other.traits);
    }

    /// As readers get it: both views from the client's side.
    pub(super) fn edge(&self, flow: &Flow, ends: &Ends<'_>) -> v1::Edge {
        let (client, server) = (ends.id(flow.client), ends.id(flow.server));
        let protocol = flow.protocol.as_str();
        let named = self.dialed.iter().take(DIALED_NAMED);
        v1::Edge {
            id: edge_id(client, server, protocol, flow.port),
            client: client.to_owned(),
            server: server.to_owned(),
            protocol: protocol.to_owned(),
            port: u32::from(flow.port),
            dialed: named.map(ToString::to_string).collect(),
            dialed_services: ends.services_at(&self.dialed, flow.protocol),
            first_seen: Some(to_proto(self.first_seen)),
            last_seen: Some(to_proto(self.last_seen)),
            client_view: self.client.as_ref().map(view),
            server_view: self.server.map(turned).as_ref().map(view),
            role_unknown: !self.role_known,
            loopback: self.traits.loopback,
            own: self.traits.own,
        }
    }
}

pub(super) fn edge_id(client: &str, server: &str, protocol: &str, port: u16) -> String {
    let named = [client, server, protocol, &port.to_string()].join("\0");
    format!("{:016x}", xxh3_64(named.as_bytes()))
}

/// A server's counts as its clients would tell them.
fn turned(server: Counters) -> Counters {
    Counters {
        bytes_sent: server.bytes_received,
        bytes_received: server.bytes_sent,
        messages_sent: server.messages_received,
        messages_received: server.messages_sent,
        ..server
    }
}

fn view(counters: &Counters) -> v1::EdgeView {
    v1::EdgeView {
        connections_opened: counters.opened,
        connections_closed: counters.closed,
        connections_failed: counters.failed(),
        active: counters.active,
        bytes_sent: counters.bytes_sent,
        bytes_received: counters.bytes_received,
        retransmits: counters.retransmits,
        failures: Some(v1::Failures {
            refused: counters.failed_refused,
            timed_out: counters.failed_timed_out,
            unreachable: counters.failed_unreachable,
            other: counters.failed_other,
        }),
        resets: counters.resets,
        bytes_retransmitted: counters.bytes_retransmitted,
        syn_retransmits: counters.syn_retransmits,
        rtt: times(&counters.rtt),
        connect: times(&counters.connect),
        messages_sent: counters.messages_sent,
        messages_received: counters.messages_received,
    }
}

fn times(times: &Times) -> Option<v1::Times> {
    Some(v1::Times {
        count: times.count(),
        p50_us: times.quantile(0.5)?,
        p90_us: times.quantile(0.9)?,
        p99_us: times.quantile(0.99)?,
    })
}
