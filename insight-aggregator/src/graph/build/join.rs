//! Every row gets its far end, and is added to its edge.

use std::collections::HashMap;

use insight_proto::v1;
use xxhash_rust::xxh3::xxh3_64;

use super::claims::{Claim, Claims, Place};
use super::ends::{End, Ends};
use super::home::{Homes, is_at_home};
use crate::graph::query::Traits;
use crate::graph::query::time::to_proto;
use crate::model::{Counters, Protocol, RowKey, Side, Sum, Times, UnixMs, Window};

/// What an edge is the only one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    pub(super) client: End,
    pub(super) server: End,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
}

/// An edge's counts, each side from its own point of view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    client: Option<Counters>,
    server: Option<Counters>,
    role_known: bool,
    first_seen: UnixMs,
    last_seen: UnixMs,
    /// What all its rows are.
    traits: Traits,
}

/// All edges.
pub(super) type Joined = HashMap<Flow, Tally>;

/// Joins the rows of both sides, but for those that are to be left out. Those too say who is where.
pub(super) fn join<'w>(window: &'w Window, without: Traits, ends: &mut Ends<'w>) -> Joined {
    let mut claims = Claims::default();
    let mut locals = Vec::with_capacity(window.rows.len());
    for key in window.rows.keys() {
        let local = ends.entity(&key.local);
        claims.note(key, local);
        locals.push(local);
    }
    let mut far = FarEnds {
        claims,
        ends,
        homes: Homes::new(window),
        places: HashMap::new(),
    };
    let mut joined = Joined::new();
    // The map does not change, so its order is the same again.
    for ((key, sum), local) in window.rows.iter().zip(locals) {
        // Such a row says who is where, but nothing happened.
        if sum.counters == Counters::default() {
            continue;
        }
        let traits = Traits {
            loopback: key.is_loopback(),
            own: key.own || far.claims.is_own(key),
        };
        if traits.meet(without) {
            continue;
        }
        let (client, server) = if key.is_overflow() {
            (Some(local), local)
        } else if key.side.is_server() {
            (far.client(key, local), local)
        } else {
            (Some(local), far.server(key, local))
        };
        let Some(client) = client else { continue };
        let flow = Flow {
            client,
            server,
            port: key.port,
            protocol: key.protocol,
        };
        joined
            .entry(flow)
            .or_insert_with(|| Tally::starting(sum, traits))
            .add(key.side, sum, traits);
    }
    joined
}

/// Answers who the far end of a row is.
struct FarEnds<'a, 'w> {
    claims: Claims,
    ends: &'a mut Ends<'w>,
    homes: Homes<'w>,
    /// Answers for places without a socket that matched, so that each is worked out once.
    places: HashMap<Place, End>,
}

impl FarEnds<'_, '_> {
    /// Who a client row's connections went to: the sockets at the other end; else who listens there for others; else
    /// who has that address, for a refused connect has no socket at the other end.
    fn server(&mut self, key: &RowKey, local: End) -> End {
        let (address, port) = (key.remote_addr, Some(key.port));
        match self.claims.far_end(key) {
            Claim::One(end) => return *end,
            Claim::Several(them) => return self.ends.ambiguous(address, port, local, them),
            Claim::Nobody => {}
        }
        let place = Place {
            scope: key.scope,
            address,
            port: Some((key.port, key.protocol)),
        };
        if is_at_home(key) && *self.claims.at(&place) == Claim::Nobody {
            return self.home(key, local);
        }
        if let Some(end) = self.places.get(&place) {
            return *end;
        }
        let end = match self.claims.at(&place) {
            Claim::One(end) => *end,
            Claim::Several(them) => self.ends.ambiguous(address, port, local, them),
            Claim::Nobody => self.owner(key, local),
        };
        self.places.insert(place, end);
        end
    }

    /// Who a server row's connections came from: the sockets at the other end, else who has that address.
    ///
    /// `None` when several ends share the client's address (host network, or two containers of a pod): the server
    /// cannot tell them apart, and each of them has already told its own part exactly. To add the server's sum to any
    /// edge would count it twice, so those edges have no server view.
    fn client(&mut self, key: &RowKey, local: End) -> Option<End> {
        if key.remote_prefix != 0 {
            return Some(self.ends.prefix(key.remote_addr, key.remote_prefix));
        }
        match self.claims.far_end(key) {
            Claim::One(end) => Some(*end),
            Claim::Several(_) => None,
            Claim::Nobody if is_at_home(key) => Some(self.home(key, local)),
            Claim::Nobody => Some(self.owner(key, local)),
        }
    }

    /// Who the far end of a row is that stayed where it was measured: somebody in the same pod or container, or on the same host. Many
    /// can be there who were not seen, so none of those that were is named.
    fn home(&mut self, key: &RowKey, local: End) -> End {
        if let Some(entity) = self.homes.owner(key) {
            return self.ends.workload(entity);
        }
        match self.ends.host_of(local).to_owned() {
            unknown if unknown.is_empty() => self.ends.external(key.remote_addr, local),
            node => self.ends.host(&node),
        }
    }

    /// Who has the far end's address, judged by all the rows that were measured there.
    fn owner(&mut self, key: &RowKey, from: End) -> End {
        let (scope, address) = (key.scope, key.remote_addr);
        let place = Place {
            scope,
            address,
            port: None,
        };
        if let Some(end) = self.places.get(&place) {
            return *end;
        }
        let everywhere = self.claims.at(&Place { scope: 0, ..place });
        let end = match self.claims.at(&place).and(everywhere) {
            Claim::One(end) => end,
            Claim::Several(them) => self.ends.ambiguous(address, None, from, &them),
            Claim::Nobody => self.ends.external(address, from),
        };
        self.places.insert(place, end);
        end
    }
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
        }
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

    /// As readers get it: both views from the client's side.
    pub(super) fn edge(&self, flow: &Flow, ends: &Ends<'_>) -> v1::Edge {
        let (client, server) = (ends.id(flow.client), ends.id(flow.server));
        let protocol = flow.protocol.as_str();
        v1::Edge {
            id: edge_id(client, server, protocol, flow.port),
            client: client.to_owned(),
            server: server.to_owned(),
            protocol: protocol.to_owned(),
            port: u32::from(flow.port),
            dialed: Vec::new(),
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

fn edge_id(client: &str, server: &str, protocol: &str, port: u16) -> String {
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
