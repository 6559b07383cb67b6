//! Every row gets its far end, and is added to its edge.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use insight_proto::v1;
use xxhash_rust::xxh3::xxh3_64;

use super::claims::{Claim, Claims, Pair, Place};
use super::ends::{End, Ends};
use super::home::{Homes, is_at_home};
use super::translate::{Spread, Way, asked, service, ways};
use crate::graph::query::Traits;
use crate::graph::query::time::to_proto;
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
pub(super) type Joined = HashMap<Flow, Tally>;

/// Joins the rows of both sides, but for those that are to be left out. Those too say who is where.
pub(super) fn join<'w>(window: &'w Window, without: Traits, ends: &mut Ends<'w>) -> Joined {
    let mut claims = Claims::default();
    let mut locals = Vec::with_capacity(window.rows.len());
    for key in window.rows.keys() {
        let local = ends.entity(&key.local);
        claims.note(key, local);
        for way in ways(window, key) {
            claims.note_way(&way, key, local);
        }
        locals.push(local);
    }
    let mut far = FarEnds {
        claims,
        ends,
        homes: Homes::new(window),
        places: HashMap::new(),
    };
    let mut joined = Joined::new();
    let mut spread = Vec::new();
    // The map does not change, so its order is the same again.
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
        let to: BTreeSet<(End, u16)> = ways(window, key)
            .map(|way| (far.reached(&way.pair, local), way.pair.port))
            .collect();
        if to.len() > 1 {
            spread.push(Spread {
                client: local,
                key,
                sum,
                traits,
                to,
            });
            continue;
        }
        let way = to.first().copied();
        let (client, (server, port)) = if key.is_overflow() {
            (Some(local), (local, key.port))
        } else if key.side.is_server() {
            (far.client(key, local), (local, key.port))
        } else {
            let direct = || (far.server(key, local), key.port);
            (Some(local), way.unwrap_or_else(direct))
        };
        let Some(client) = client else { continue };
        let flow = Flow {
            client,
            server,
            port,
            protocol: key.protocol,
        };
        let tally = add(&mut joined, flow, key.side, sum, traits);
        tally.dial(way.map(|_| service(key)).into_iter());
        tally.dial(asked(window, key));
    }
    for row in spread {
        add_spread(&mut joined, &mut far, &row);
    }
    joined
}

/// A row of which nobody knows how much went where: every backend that an agent watches has told its own part, and to add the client's sum to any
/// of these edges would count it several times. It stays with the Service's address if the backends told less than the client: one is not watched.
fn add_spread(joined: &mut Joined, far: &mut FarEnds<'_, '_>, row: &Spread<'_>) {
    let (mut told, mut is_told) = (0_u64, true);
    for flow in row.flows() {
        match joined.get_mut(&flow) {
            Some(tally) => {
                is_told &= tally.server.is_some();
                told = told.saturating_add(tally.server.map_or(0, |server| server.opened));
                tally.dial([service(row.key)].into_iter());
            }
            None => is_told = false,
        }
    }
    // One that is over, and known from before, has nothing to tell.
    let rest = if is_told || told >= row.sum.counters.opened {
        row.failed()
    } else {
        Some(*row.sum)
    };
    if let Some(sum) = rest {
        let flow = Flow {
            client: row.client,
            server: far.server(row.key, row.client),
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
        let pair = Pair::of(key);
        if is_at_home(key)
            && *self.claims.servers(&pair) == Claim::Nobody
            && *self.claims.at(&listener(&pair)) == Claim::Nobody
        {
            return self.home(key, local);
        }
        self.reached(&pair, local)
    }

    /// The same for a pair of addresses that `local` is the client's end of.
    fn reached(&mut self, pair: &Pair, local: End) -> End {
        let (address, port) = (pair.server, Some(pair.port));
        match self.claims.servers(pair) {
            Claim::One(end) => return *end,
            Claim::Several(them) => return self.ends.ambiguous(address, port, local, them),
            Claim::Nobody => {}
        }
        let place = listener(pair);
        if let Some(end) = self.places.get(&place) {
            return *end;
        }
        let end = match self.claims.at(&place) {
            Claim::One(end) => *end,
            Claim::Several(them) => self.ends.ambiguous(address, port, local, them),
            Claim::Nobody => self.owner(pair.scope, address, local),
        };
        self.places.insert(place, end);
        end
    }

    /// Who a server row's connections came from: the sockets at the other end, else who has that address.
    ///
    /// `None` when several ends share the client's address (host network, masquerading, or two containers of a pod): the server
    /// cannot tell them apart, and each of them has already told its own part exactly. To add the server's sum to any
    /// edge would count it twice, so those edges have no server view.
    fn client(&mut self, key: &RowKey, local: End) -> Option<End> {
        if key.remote_prefix != 0 {
            return Some(self.ends.prefix(key.remote_addr, key.remote_prefix));
        }
        match self.claims.clients(&Pair::of(key))? {
            Claim::One(end) => Some(*end),
            Claim::Several(_) => None,
            Claim::Nobody if is_at_home(key) => Some(self.home(key, local)),
            Claim::Nobody => Some(self.owner(key.scope, key.remote_addr, local)),
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
    fn owner(&mut self, scope: u64, address: IpAddr, from: End) -> End {
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

/// Where a pair's server listens.
fn listener(pair: &Pair) -> Place {
    Place {
        scope: pair.scope,
        address: pair.server,
        port: Some((pair.port, pair.protocol)),
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
            first_seen: Some(to_proto(self.first_seen)),
            last_seen: Some(to_proto(self.last_seen)),
            client_view: self.client.as_ref().map(view),
            server_view: self.server.map(turned).as_ref().map(view),
            role_unknown: !self.role_known,
            loopback: self.traits.loopback,
            own: self.traits.own,
            dialed_services: Vec::new(),
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
