//! Rows of a batch, and their columns on the wire.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;

use insight_ebpf::abi::{
    FlowKey, PROTOCOL_TCP, PROTOCOL_UDP, ROLE_CLIENT, ROLE_SERVER, ROLE_UNKNOWN_LOCAL,
    ROLE_UNKNOWN_REMOTE,
};
use insight_proto::v1::{Dialed, Endpoint, FlowColumns, Protocol, Role};

use super::totals::Totals;

/// One flow's part of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRow {
    /// Which flow.
    pub key: FlowKey,
    /// What was added since the batch before.
    pub added: Totals,
    /// Open connections at the batch's end.
    pub active: u64,
}

impl FlowRow {
    /// Adds another row of the same flow, of connections that are open at the same time.
    pub(super) fn add(&mut self, other: &Self) {
        self.added.add(&other.added);
        self.active += other.active;
    }
}

/// Rows become columns, with a dictionary of their ends.
#[derive(Default)]
pub struct Columns {
    columns: FlowColumns,
    ends: Dictionary,
    cgroups: HashSet<u64>,
    own: Vec<bool>,
}

impl Columns {
    /// Adds a row, with what is known of addresses between its ends; their row is filled in. `own`: it is Insight's own.
    pub fn push(&mut self, row: &FlowRow, own: bool, between: impl Iterator<Item = Dialed>) {
        self.own.push(own);
        let (columns, ends) = (&mut self.columns, &mut self.ends);
        let number = u32::try_from(columns.local.len()).unwrap_or(u32::MAX);
        columns.dialed.extend(between.map(|dialed| Dialed {
            row: number,
            ..dialed
        }));
        let (key, added) = (&row.key, &row.added.0);
        let is_overflow = key.is_catch_all();
        if !is_overflow {
            self.cgroups.insert(key.cgroup);
        }
        columns.local.push(ends.index(End {
            address: key.local,
            cgroup: key.cgroup,
            netns: key.netns,
            prefix: 0,
            is_overflow,
        }));
        columns.remote.push(ends.index(End {
            address: key.remote,
            cgroup: 0,
            netns: 0,
            prefix: key.prefix,
            is_overflow,
        }));
        columns.port.push(u32::from(key.port));
        columns.protocol.push(protocol(key.protocol) as i32);
        columns.role.push(role(key.role) as i32);
        columns.opened.push(added.opened);
        columns.closed.push(added.closed);
        columns.failed_refused.push(added.failed_refused);
        columns.failed_timed_out.push(added.failed_timed_out);
        columns.failed_unreachable.push(added.failed_unreachable);
        columns.failed_other.push(added.failed_other);
        columns.active.push(row.active);
        columns.bytes_sent.push(added.bytes_sent);
        columns.bytes_received.push(added.bytes_received);
        columns.retransmits.push(added.retransmits);
        columns.resets.push(added.resets);
        columns.bytes_retransmitted.push(added.bytes_retransmitted);
        columns.syn_retransmits.push(added.syn_retransmits);
        columns.messages_sent.push(added.messages_sent);
        columns.messages_received.push(added.messages_received);
        columns.rtt.extend(added.rtt);
        columns.connect.extend(added.connect);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.columns.local.is_empty()
    }

    /// The owners of all rows.
    pub fn cgroups(&self) -> impl Iterator<Item = u64> {
        self.cgroups.iter().copied()
    }

    /// As they are sent.
    pub fn finish(mut self) -> FlowColumns {
        self.columns.endpoints = self.ends.endpoints;
        if self.own.contains(&true) {
            self.columns.own = self.own;
        }
        self.columns
    }
}

fn protocol(number: u8) -> Protocol {
    match number {
        PROTOCOL_TCP => Protocol::Tcp,
        PROTOCOL_UDP => Protocol::Udp,
        _ => Protocol::Unspecified,
    }
}

fn role(role: u8) -> Role {
    match role {
        ROLE_CLIENT => Role::Client,
        ROLE_SERVER => Role::Server,
        ROLE_UNKNOWN_REMOTE => Role::UnknownRemotePort,
        ROLE_UNKNOWN_LOCAL => Role::UnknownLocalPort,
        _ => Role::Unspecified,
    }
}

#[derive(Default)]
struct Dictionary {
    endpoints: Vec<Endpoint>,
    places: HashMap<End, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct End {
    address: [u32; 4],
    cgroup: u64,
    netns: u64,
    prefix: u8,
    is_overflow: bool,
}

impl Dictionary {
    fn index(&mut self, end: End) -> u32 {
        let next = u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX);
        *self.places.entry(end).or_insert_with(|| {
            self.endpoints.push(end.endpoint());
            next
        })
    }
}

impl End {
    fn endpoint(self) -> Endpoint {
        let address = bytes(&self.address);
        let bits = u32::from(self.prefix);
        Endpoint {
            prefix_length: if address.len() == 4 {
                bits.saturating_sub(96)
            } else {
                bits
            },
            address,
            cgroup_id: self.cgroup,
            netns: self.netns,
            overflow: self.is_overflow,
        }
    }
}

/// Network order; IPv4-mapped addresses as IPv4.
pub(super) fn bytes(words: &[u32; 4]) -> Vec<u8> {
    octets(address(words))
}

/// An address as it is sent.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The address that the kernel's words are; IPv4-mapped ones as IPv4.
pub fn address(words: &[u32; 4]) -> IpAddr {
    let mut octets = [0; 16];
    for (place, word) in octets.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    IpAddr::from(octets).to_canonical()
}
