//! Where a client's connections went that its own socket does not show: to a Service's address, which NAT turned into a backend's.
//!
//! The client's row holds the Service's address, the backends' rows hold the client's: they meet by what connection tracking said of some of
//! the client's connections. A Service is an attribute of the edges to its backends, never an edge of its own beside theirs.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::claims::Pair;
use super::ends::End;
use super::join::Flow;
use crate::graph::query::Traits;
use crate::model::{AllDialed, Counters, Dialed, RowKey, Side, Sum, Window};

/// One way that connections of a row went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// What the server's socket agrees on.
    pub(super) pair: Pair,
    /// The server sees another address than the client's own, which others may share.
    pub(super) is_masked: bool,
}

/// The ways of a client's row, as far as they are known; none if its socket shows where it went.
pub(super) fn ways<'w>(window: &'w Window, key: &'w RowKey) -> impl Iterator<Item = Way> + 'w {
    let all = match key.side {
        Side::Client => window.dialed.get(key),
        _ => None,
    };
    all.into_iter().flatten().filter_map(|dialed| {
        let Dialed::Translated { to, source, scope } = dialed else {
            return None;
        };
        let client = source.unwrap_or(key.local_addr);
        Some(Way {
            pair: Pair {
                scope: *scope,
                client,
                server: to.ip(),
                port: to.port(),
                protocol: key.protocol,
            },
            is_masked: client != key.local_addr,
        })
    })
}

/// What the programs of a row asked for where their sockets lead somewhere else.
pub(super) fn asked(window: &Window, key: &RowKey) -> impl Iterator<Item = SocketAddr> {
    let all: Option<&AllDialed> = window.dialed.get(key);
    all.into_iter().flatten().filter_map(|dialed| match dialed {
        Dialed::Asked(address) => Some(*address),
        Dialed::Translated { .. } => None,
    })
}

/// A row whose connections went several ways: how many went which is not known.
pub(super) struct Spread<'w> {
    pub(super) client: End,
    /// Who is named for what its backends have not told.
    pub(super) rest: End,
    pub(super) key: &'w RowKey,
    pub(super) sum: &'w Sum,
    pub(super) traits: Traits,
    pub(super) to: BTreeSet<(End, u16)>,
}

impl Spread<'_> {
    /// The edges to the backends.
    pub(super) fn flows(&self) -> impl Iterator<Item = Flow> {
        self.to.iter().map(|(server, port)| Flow {
            client: self.client,
            server: *server,
            port: *port,
            protocol: self.key.protocol,
        })
    }

    /// What of the row the backends have not told: all connects that failed, of which nobody knows at which, and what is missing of the rest.
    pub(super) fn rest(&self, told: &Counters) -> Option<Sum> {
        let all = self.sum.counters;
        if *told == Counters::default() {
            return Some(*self.sum);
        }
        let less = |all: u64, told: u64| all.saturating_sub(told);
        let rest = Counters {
            opened: less(all.opened, told.opened),
            closed: less(all.closed, told.closed),
            active: less(all.active, told.active),
            bytes_sent: less(all.bytes_sent, told.bytes_sent),
            bytes_received: less(all.bytes_received, told.bytes_received),
            messages_sent: less(all.messages_sent, told.messages_sent),
            messages_received: less(all.messages_received, told.messages_received),
            failed_refused: all.failed_refused,
            failed_timed_out: all.failed_timed_out,
            failed_unreachable: all.failed_unreachable,
            failed_other: all.failed_other,
            ..Counters::default()
        };
        (rest != Counters::default()).then_some(Sum {
            counters: rest,
            ..*self.sum
        })
    }
}

/// The Service's address of a row.
pub(super) fn service_of(key: &RowKey) -> SocketAddr {
    SocketAddr::new(key.remote_addr, key.port)
}
