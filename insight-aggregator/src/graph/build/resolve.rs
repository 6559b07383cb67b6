//! Who the far end of a row is: what agents saw at that address, and what Kubernetes says of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::claims::{Claim, Claims, Pair, Place, Span};
use super::ends::{End, Ends};
use super::home::{Homes, is_at_home};
use super::map::Map;
use crate::kubernetes::Index;
use crate::kubernetes::index::{Holder, Key, ServiceAt};
use crate::model::{Eras, Protocol, RowKey, Window};

/// Answers who the far end of a row is.
pub(super) struct FarEnds<'a, 'w> {
    pub(super) claims: Claims,
    ends: &'a mut Ends<'w>,
    index: &'w Index,
    eras: &'w Eras,
    homes: Homes<'w>,
    /// Answers for places without a socket that matched, so that each is worked out once.
    places: Map<Place, End>,
}

/// What Kubernetes says of a port at an address.
enum Said<'w> {
    Nothing,
    One(End),
    Several(BTreeSet<End>),
    Service(&'w Key),
}

impl<'a, 'w> FarEnds<'a, 'w> {
    pub(super) fn new(
        window: &'w Window,
        claims: Claims,
        ends: &'a mut Ends<'w>,
        index: &'w Index,
    ) -> Self {
        Self {
            claims,
            ends,
            index,
            eras: &window.eras,
            homes: Homes::new(window),
            places: Map::default(),
        }
    }

    /// Who a client row's connections went to: the sockets at the other end; else who listens there for others; else
    /// who has that address, for a refused connect has no socket at the other end.
    pub(super) fn server(&mut self, key: &RowKey, span: Span, local: End) -> End {
        let pair = Pair::of(key);
        if is_at_home(key)
            && *self.claims.servers(&pair, span) == Claim::Nobody
            && *self.claims.at(&listener(&pair), span) == Claim::Nobody
        {
            return self.home(key, local);
        }
        self.reached(&pair, span, local)
    }

    /// The same for a pair of addresses that `local` is the client's end of.
    pub(super) fn reached(&mut self, pair: &Pair, span: Span, local: End) -> End {
        let place = listener(pair);
        let seen = match self.claims.servers(pair, span).into_owned() {
            Claim::Nobody => self.claims.at(&place, span).into_owned(),
            seen => seen,
        };
        match seen {
            Claim::One(end) => end,
            Claim::Several(them) => match self.one_of(&them, &place, span) {
                Some(end) => end,
                None => self
                    .ends
                    .ambiguous(pair.server, Some(pair.port), local, &them),
            },
            Claim::Nobody => self.owner(&place, span, local),
        }
    }

    /// Everybody whose sockets were at the server's end of a client's row, if that is several of whom Kubernetes cannot tell one: the address changed
    /// hands meanwhile.
    pub(super) fn successors(&mut self, key: &RowKey, span: Span) -> BTreeSet<(End, u16)> {
        let pair = Pair::of(key);
        let Claim::Several(them) = self.claims.servers(&pair, span).into_owned() else {
            return BTreeSet::new();
        };
        let holders = self.index.holders(pair.server, span.from, span.to);
        let pods = holders.filter(|holder| matches!(holder, Holder::Pod(_)));
        if key.scope != 0 || pods.count() < 2 {
            return BTreeSet::new();
        }
        them.into_iter().map(|end| (end, pair.port)).collect()
    }

    /// Who a server row's connections came from: the sockets at the other end, else who has that address.
    ///
    /// `None` when several ends share the client's address (host network, masquerading, or two containers of a pod): the server
    /// cannot tell them apart, and each of them has already told its own part exactly. To add the server's sum to any
    /// edge would count it twice, so those edges have no server view.
    pub(super) fn client(&mut self, key: &RowKey, span: Span, local: End) -> Option<End> {
        if key.remote_prefix != 0 {
            return Some(self.ends.prefix(key.remote_addr, key.remote_prefix));
        }
        match self.claims.clients(&Pair::of(key), span)?.into_owned() {
            Claim::One(end) => Some(end),
            Claim::Several(_) => None,
            Claim::Nobody if is_at_home(key) => Some(self.home(key, local)),
            Claim::Nobody => {
                let place = Place {
                    scope: key.scope,
                    address: key.remote_addr,
                    port: None,
                };
                Some(self.owner(&place, span, local))
            }
        }
    }

    /// The Service that a client's row was sent to, and where its backends are: each end with its port.
    pub(super) fn service(
        &mut self,
        key: &RowKey,
        span: Span,
    ) -> Option<(&'w Key, BTreeSet<(End, u16)>)> {
        let place = listener(&Pair::of(key));
        if self.index.is_empty() || key.scope != 0 || *self.claims.at(&place, span) != Claim::Nobody
        {
            return None;
        }
        let Said::Service(service) = self.said(&place, span) else {
            return None;
        };
        let at = self.service_at(service, key.remote_addr, key.port, key.protocol)?;
        let port = at.port?;
        let ports = self.index.backend_ports(service, port);
        let pods: Vec<&'w str> = self
            .index
            .backends(service, span.from, span.to)
            .map(|uid| &**uid)
            .collect();
        let ends: BTreeSet<End> = pods.into_iter().map(|uid| self.ends.pod(uid)).collect();
        let both = |end| ports.iter().map(move |port| (end, *port));
        Some((service, ends.into_iter().flat_map(both).collect()))
    }

    /// A Service as it is reached at one of its addresses, or by a node's port.
    fn service_at(
        &self,
        service: &Key,
        address: IpAddr,
        port: u16,
        protocol: Protocol,
    ) -> Option<ServiceAt<'w>> {
        let at = self.index.service(service, port, protocol)?;
        let own = at.service.cluster_addresses.iter();
        let is_own = own
            .chain(&at.service.external_addresses)
            .any(|own| *own == address);
        if is_own {
            Some(at)
        } else {
            self.index.node_port(port, protocol).map(|(_, at)| at)
        }
    }

    /// A Service whose backends are not told apart.
    pub(super) fn service_end(&mut self, service: &Key) -> End {
        self.ends.service(service)
    }

    /// Who the far end of a row is that stayed where it was measured: somebody in the same pod or container, or on the same host. Many
    /// can be there who were not seen, so none of those that were is named.
    fn home(&mut self, key: &RowKey, local: End) -> End {
        if let Some(entity) = self.homes.owner(key) {
            return self.ends.pod_of(entity);
        }
        match self.ends.host_of(local).to_owned() {
            unknown if unknown.is_empty() => self.ends.external(key.remote_addr, local),
            node => self.ends.host(&node),
        }
    }

    /// Who has the far end's address: by what Kubernetes says, else by all the rows that were measured there.
    fn owner(&mut self, place: &Place, span: Span, from: End) -> End {
        let port = place.port.map(|(port, _)| port);
        match self.said(place, span) {
            Said::One(end) => return end,
            Said::Service(service) => return self.ends.service(service),
            Said::Several(them) => {
                return self.ends.ambiguous(place.address, port, from, &them);
            }
            Said::Nothing => {}
        }
        let place = Place {
            port: None,
            ..*place
        };
        if let Some(end) = self.places.get(&place) {
            return *end;
        }
        let everywhere = self.claims.at(&Place { scope: 0, ..place }, span);
        let end = match self.claims.at(&place, span).and(&everywhere) {
            Claim::One(end) => end,
            Claim::Several(them) => self.ends.ambiguous(place.address, None, from, &them),
            Claim::Nobody => self.ends.external(place.address, from),
        };
        if !self.eras.has(place.address) {
            self.places.insert(place, end);
        }
        end
    }

    /// The one of several ends that Kubernetes names alone, if it has told of all of them: of one that it has not, the address may be that one's by now.
    fn one_of(&mut self, them: &BTreeSet<End>, place: &Place, span: Span) -> Option<End> {
        if them.iter().any(|end| self.ends.is_untold(*end)) {
            return None;
        }
        match self.said(place, span) {
            Said::One(end) => Some(end).filter(|end| them.contains(end)),
            _ => None,
        }
    }

    fn said(&mut self, place: &Place, span: Span) -> Said<'w> {
        // Loopback addresses, and those of one link, are everybody's.
        if place.scope != 0 || self.index.is_empty() {
            return Said::Nothing;
        }
        let holders: BTreeSet<&'w Holder> = self
            .index
            .holders(place.address, span.from, span.to)
            .collect();
        let mut them = BTreeSet::new();
        for holder in &holders {
            them.insert(match holder {
                Holder::Pod(uid) => self.ends.pod(uid),
                Holder::Service(service) if holders.len() == 1 => return Said::Service(service),
                Holder::Service(service) => self.ends.service(service),
                Holder::Node(node) => match self.at_node(node, place) {
                    Said::Service(service) if holders.len() == 1 => return Said::Service(service),
                    Said::One(end) => end,
                    _ => self.ends.host(node),
                },
            });
        }
        let mut ends = them.iter();
        match (ends.next(), ends.next()) {
            (Some(end), None) => Said::One(*end),
            (Some(_), Some(_)) => Said::Several(them),
            (None, _) => match self.index.backend_outside(place.address) {
                Some(service) if self.is_reached(service, place) => Said::Service(service),
                _ => match self.index.gateway(place.address) {
                    Some(node) => Said::One(self.ends.host(node)),
                    None => Said::Nothing,
                },
            },
        }
    }

    /// Whether a Service whose backend has a place's address is what is there. Other ports of a machine that is no node and no pod are not
    /// the Service's; where no port is known, as for a client, it says best whose machine that is.
    fn is_reached(&self, service: &Key, place: &Place) -> bool {
        place
            .port
            .is_none_or(|(port, protocol)| self.index.is_backend_port(service, port, protocol))
    }

    /// Who is at a node's address: a pod on its network that says it listens there, the Service that its port leads to, else the node.
    fn at_node(&mut self, node: &'w str, place: &Place) -> Said<'w> {
        let index = self.index;
        if let Some((port, protocol)) = place.port {
            if let Some(uid) = index.on_port(node, port, protocol) {
                return Said::One(self.ends.pod(uid));
            }
            if let Some((key, _)) = index.node_port(port, protocol) {
                return Said::Service(key);
            }
            if let Some(service) = index.backend_outside(place.address)
                && index.is_backend_port(service, port, protocol)
            {
                return Said::Service(service);
            }
        }
        Said::One(self.ends.host(node))
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
