//! Row keys as bytes, and their hash.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use xxhash_rust::xxh3::xxh3_128;

use super::bytes::take;
use crate::ledger::map::RowHash;
use crate::model::{EntityId, Protocol, RowKey, Side};

/// Bits of the first byte: what is set when the measured end is the server's, for UDP, for IPv6 addresses, when the remote address is a
/// prefix, whose length comes after the addresses, and for what is Insight's own.
const SERVER: u8 = 1;
const UDP: u8 = 2;
const LOCAL_V6: u8 = 4;
const REMOTE_V6: u8 = 8;
const REMOTE_PREFIX: u8 = 16;
const OWN: u8 = 32;
/// Set when nobody saw who began.
const UNKNOWN: u8 = 64;

/// Encodes row keys into one buffer.
#[derive(Default)]
pub(in crate::ledger) struct KeyEncoder {
    buffer: Vec<u8>,
}

impl KeyEncoder {
    /// The key as bytes.
    pub(in crate::ledger) fn encode(&mut self, key: &RowKey) -> &[u8] {
        self.buffer.clear();
        encode(key, &mut self.buffer);
        &self.buffer
    }
}

/// The hash of an encoded key, which names it in memory.
pub(in crate::ledger) fn hash_key(key: &[u8]) -> RowHash {
    xxh3_128(key)
}

/// Appends a key: bits, port, scope, addresses, and to the end the local id.
fn encode(key: &RowKey, to: &mut Vec<u8>) {
    let bit = |is_set: bool, bit| if is_set { bit } else { 0 };
    to.push(
        bit(key.side.is_server(), SERVER)
            | bit(!key.side.is_known(), UNKNOWN)
            | bit(key.protocol == Protocol::Udp, UDP)
            | bit(key.local_addr.is_ipv6(), LOCAL_V6)
            | bit(key.remote_addr.is_ipv6(), REMOTE_V6)
            | bit(key.remote_prefix != 0, REMOTE_PREFIX)
            | bit(key.own, OWN),
    );
    to.extend_from_slice(&key.port.to_le_bytes());
    to.extend_from_slice(&key.scope.to_le_bytes());
    for address in [key.local_addr, key.remote_addr] {
        match address {
            IpAddr::V4(address) => to.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => to.extend_from_slice(&address.octets()),
        }
    }
    if key.remote_prefix != 0 {
        to.push(key.remote_prefix);
    }
    to.extend_from_slice(key.local.as_bytes());
}

/// The key that these bytes are, all of them; `intern` makes its local id.
pub(in crate::ledger) fn decode_key(
    mut from: &[u8],
    intern: impl FnOnce(&str) -> EntityId,
) -> Result<RowKey> {
    let [bits] = take(&mut from)?;
    ensure!(
        bits & !(SERVER | UNKNOWN | UDP | LOCAL_V6 | REMOTE_V6 | REMOTE_PREFIX | OWN) == 0,
        "a key starts with unknown bits {bits:#x}"
    );
    let is_set = |bit| bits & bit != 0;
    let port = u16::from_le_bytes(take(&mut from)?);
    let scope = u64::from_le_bytes(take(&mut from)?);
    let mut address = |is_v6| -> Result<IpAddr> {
        Ok(if is_v6 {
            take::<16>(&mut from)?.into()
        } else {
            take::<4>(&mut from)?.into()
        })
    };
    let local_addr = address(is_set(LOCAL_V6))?;
    let remote_addr = address(is_set(REMOTE_V6))?;
    let remote_prefix = if is_set(REMOTE_PREFIX) {
        let [bits] = take(&mut from)?;
        bits
    } else {
        0
    };
    Ok(RowKey {
        side: match (is_set(SERVER), is_set(UNKNOWN)) {
            (false, false) => Side::Client,
            (true, false) => Side::Server,
            (false, true) => Side::PerhapsClient,
            (true, true) => Side::PerhapsServer,
        },
        local: intern(std::str::from_utf8(from)?),
        local_addr,
        remote_addr,
        remote_prefix,
        port,
        protocol: if is_set(UDP) {
            Protocol::Udp
        } else {
            Protocol::Tcp
        },
        scope,
        own: is_set(OWN),
        era: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Vec<RowKey> {
        let key = RowKey {
            side: Side::Client,
            local: "unit:n/a.service".into(),
            local_addr: [10, 0, 0, 1].into(),
            remote_addr: [10, 0, 0, 2].into(),
            remote_prefix: 0,
            port: 443,
            protocol: Protocol::Tcp,
            scope: 0,
            own: false,
            era: 0,
        };
        let v6 = IpAddr::from([7; 16]);
        vec![
            RowKey {
                side: Side::Server,
                ..key.clone()
            },
            RowKey {
                protocol: Protocol::Udp,
                ..key.clone()
            },
            RowKey {
                side: Side::PerhapsClient,
                ..key.clone()
            },
            RowKey {
                side: Side::PerhapsServer,
                ..key.clone()
            },
            RowKey {
                local_addr: v6,
                ..key.clone()
            },
            RowKey {
                remote_addr: v6,
                ..key.clone()
            },
            RowKey {
                local_addr: [10, 0, 0, 2].into(),
                remote_addr: [10, 0, 0, 1].into(),
                ..key.clone()
            },
            RowKey {
                remote_prefix: 24,
                ..key.clone()
            },
            RowKey {
                remote_addr: v6,
                remote_prefix: 128,
                ..key.clone()
            },
            RowKey {
                port: 65535,
                ..key.clone()
            },
            RowKey {
                scope: u64::MAX,
                ..key.clone()
            },
            RowKey {
                own: true,
                ..key.clone()
            },
            RowKey {
                local: "".into(),
                ..key.clone()
            },
            key,
        ]
    }

    #[test]
    fn keys_come_back_and_hash_apart() {
        let mut encoder = KeyEncoder::default();
        let mut hashes = std::collections::HashSet::new();
        for key in keys() {
            let bytes = encoder.encode(&key);
            assert_eq!(decode_key(bytes, |id| id.into()).unwrap(), key);
            assert!(hashes.insert(hash_key(bytes)), "{key:?}");
        }
    }

    #[test]
    fn broken_keys_are_errors() {
        let mut bytes = Vec::new();
        encode(&keys()[4], &mut bytes);
        for length in 0..31 {
            assert!(
                decode_key(&bytes[..length], |id| id.into()).is_err(),
                "{length}"
            );
        }
        bytes[0] |= 128;
        assert!(decode_key(&bytes, |id| id.into()).is_err());
        bytes[0] &= !128;
        bytes.push(0xff);
        assert!(decode_key(&bytes, |id| id.into()).is_err(), "not UTF-8");
    }
}
