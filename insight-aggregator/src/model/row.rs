//! One end of a flow, as the ledger keeps it.

use std::net::IpAddr;
use std::ops::AddAssign;

use super::{Counters, EntityId, UnixMs};

/// Which end of the connection was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The end that connected.
    Client,
    /// The end that listened.
    Server,
    /// Nobody saw who began; the port is the other end's.
    PerhapsClient,
    /// Nobody saw who began; the port is this end's.
    PerhapsServer,
}

impl Side {
    /// Whether it is the end whose port it is.
    pub fn is_server(self) -> bool {
        matches!(self, Self::Server | Self::PerhapsServer)
    }

    /// Whether it is known who began.
    pub fn is_known(self) -> bool {
        matches!(self, Self::Client | Self::Server)
    }
}

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What makes two measurements the same end of the same flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKey {
    /// The measured end.
    pub side: Side,
    /// Who owns the measured end, at container level.
    pub local: EntityId,
    /// Address of the measured end.
    pub local_addr: IpAddr,
    /// Address of the other end, or the first one of several.
    pub remote_addr: IpAddr,
    /// Bits of it that count: the clients of a server that are outside of the cluster are counted by prefix. 0: it is one address.
    pub remote_prefix: u8,
    /// The server's port.
    pub port: u16,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Where the addresses mean something: 0 everywhere; for loopback addresses a hash of (boot id, network namespace).
    pub scope: u64,
    /// Whether it is Insight's own: an agent's connections to its aggregator, or others' to the agent.
    pub own: bool,
    /// Tells rows of a [`Window`](super::Window) apart between whose times an address changed hands, see [`Eras`](super::Eras); not kept.
    pub era: u16,
}

impl RowKey {
    /// Whether its connections stay within a network namespace.
    pub fn is_loopback(&self) -> bool {
        let (local, remote) = (self.local_addr, self.remote_addr);
        let is_itself = local == remote && self.remote_prefix == 0 && !local.is_unspecified();
        local.is_loopback() || remote.is_loopback() || is_itself
    }

    /// Whether this is the sum of what found no room in an agent's flow map: nobody knows whose it is.
    pub fn is_overflow(&self) -> bool {
        self.port == 0 && self.local_addr.is_unspecified() && self.remote_addr.is_unspecified()
    }

    /// The client's address, whichever end was measured.
    pub fn client_addr(&self) -> IpAddr {
        if self.side.is_server() {
            self.remote_addr
        } else {
            self.local_addr
        }
    }

    /// The server's address, whichever end was measured.
    pub fn server_addr(&self) -> IpAddr {
        if self.side.is_server() {
            self.local_addr
        } else {
            self.remote_addr
        }
    }
}

/// Counts of a [`RowKey`] over a time range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The counts; `active` is that of the last minute.
    pub counters: Counters,
    /// Start of the first report.
    pub first_seen: UnixMs,
    /// End of the last report.
    pub last_seen: UnixMs,
}

/// Adds a later time of the same row.
impl AddAssign for Sum {
    fn add_assign(&mut self, later: Self) {
        self.counters += later.counters;
        self.first_seen = self.first_seen.min(later.first_seen);
        self.last_seen = self.last_seen.max(later.last_seen);
    }
}
