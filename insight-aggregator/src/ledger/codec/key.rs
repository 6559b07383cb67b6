//! Row keys as bytes, and their hash.

use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_128;

use crate::ledger::map::RowHash;
use crate::model::{Protocol, RowKey, Side};

/// Hashes row keys over one buffer.
#[derive(Default)]
pub(in crate::ledger) struct KeyHasher {
    buffer: Vec<u8>,
}

impl KeyHasher {
    /// The hash that names the key in the store and in memory. It must never change for a version of the encoding.
    pub(in crate::ledger) fn hash(&mut self, key: &RowKey) -> RowHash {
        self.buffer.clear();
        encode(key, &mut self.buffer);
        xxh3_128(&self.buffer)
    }
}

/// Appends a key: side and protocol and the addresses' families in one byte, port, scope, addresses, local id.
pub(super) fn encode(key: &RowKey, to: &mut Vec<u8>) {
    let side = match key.side {
        Side::Client => 0,
        Side::Server => 1,
    };
    let protocol = match key.protocol {
        Protocol::Tcp => 0,
        Protocol::Udp => 2,
    };
    let family = |address: &IpAddr, bit| if address.is_ipv6() { bit } else { 0 };
    to.push(side | protocol | family(&key.local_addr, 4) | family(&key.remote_addr, 8));
    to.extend_from_slice(&key.port.to_le_bytes());
    to.extend_from_slice(&key.scope.to_le_bytes());
    for address in [key.local_addr, key.remote_addr] {
        match address {
            IpAddr::V4(address) => to.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => to.extend_from_slice(&address.octets()),
        }
    }
    to.extend_from_slice(key.local.as_bytes());
}
