//! The cluster's address ranges: outside of them the clients of a server are counted by prefix.
//!
//! Ranges change while connections are open, and one that was read as its prefix's must stay its prefix's until it closes, or its bytes are
//! counted twice. The kernel books it by the entry that it finds, and the entry of its own address might come with the next connection. So an
//! address that is inside now, with a connection that opened outside, is made an exception first, and bytes of such a connection are
//! taken only once its address is one.

use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;

use insight_ebpf::abi::LiveSocket;
use ipnet::IpNet;

/// Addresses with the same first bits, IPv4 as `::ffff:a.b.c.d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Range {
    /// The first address.
    pub address: u128,
    /// How many bits count, of 128.
    pub bits: u8,
}

impl Range {
    /// One address.
    pub fn of(address: u128) -> Self {
        Self { address, bits: 128 }
    }

    fn cut(address: u128, bits: u8) -> Self {
        let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
        Self {
            address: address & mask,
            bits,
        }
    }

    fn contains(&self, address: u128) -> bool {
        Self::cut(address, self.bits) == *self
    }
}

impl From<IpNet> for Range {
    fn from(net: IpNet) -> Self {
        match net {
            IpNet::V4(v4) => Self::cut(v4.addr().to_ipv6_mapped().to_bits(), v4.prefix_len() + 96),
            IpNet::V6(v6) => Self::cut(v6.addr().to_bits(), v6.prefix_len()),
        }
    }
}

/// What the kernel does not need to be told: nothing outside has these addresses.
const ALWAYS_INSIDE: [&str; 4] = ["127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10"];

/// The ranges as the kernel has them.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    inside: HashSet<Range>,
    /// Exceptions, and whether the last reading met them.
    exceptions: HashMap<u128, bool>,
    wanted: HashSet<u128>,
}

impl Ranges {
    /// As an agent before has left them.
    pub fn kept(
        inside: impl Iterator<Item = Range>,
        exceptions: impl Iterator<Item = u128>,
    ) -> Self {
        Self {
            inside: inside.collect(),
            exceptions: exceptions.map(|address| (address, true)).collect(),
            wanted: HashSet::new(),
        }
    }

    /// All ranges that the kernel is to have if these are the cluster's; none: everything is inside.
    pub fn all(asked: &[Range]) -> HashSet<Range> {
        if asked.is_empty() {
            return HashSet::from([Range::cut(0, 0)]);
        }
        let always = ALWAYS_INSIDE
            .iter()
            .filter_map(|range| range.parse::<IpNet>().ok())
            .map(Range::from);
        asked.iter().copied().chain(always).collect()
    }

    /// The ranges.
    pub fn inside(&self) -> &HashSet<Range> {
        &self.inside
    }

    /// Whether the bytes of this open connection may be taken now.
    pub fn admits(&mut self, record: &LiveSocket) -> bool {
        if record.key.prefix == 0 {
            return true;
        }
        let address = address(record);
        if let Some(met) = self.exceptions.get_mut(&address) {
            *met = true;
            return true;
        }
        let is_outside = !self.inside.iter().any(|range| range.contains(address));
        if !is_outside {
            self.wanted.insert(address);
        }
        is_outside
    }

    /// Before the ranges grow by `new`: what must become an exception first, from a reading of the open connections.
    pub fn foresee(&mut self, record: &LiveSocket, new: &HashSet<Range>) {
        let address = address(record);
        if record.key.prefix != 0
            && !self.exceptions.contains_key(&address)
            && new.iter().any(|range| range.contains(address))
        {
            self.wanted.insert(address);
        }
    }

    /// The ranges are these from now on.
    pub fn set(&mut self, inside: HashSet<Range>) {
        self.inside = inside;
    }

    /// Addresses that must become exceptions.
    pub fn take_wanted(&mut self) -> Vec<u128> {
        self.wanted.drain().collect()
    }

    /// These are exceptions in the kernel now.
    pub fn excepted(&mut self, addresses: Vec<u128>) {
        self.exceptions
            .extend(addresses.into_iter().map(|address| (address, true)));
    }

    /// After a full reading: exceptions without open connections, which are none any more.
    pub fn take_needless(&mut self) -> Vec<u128> {
        let mut needless = Vec::new();
        self.exceptions.retain(|address, met| {
            let stays = std::mem::take(met);
            if !stays {
                needless.push(*address);
            }
            stays
        });
        needless
    }
}

/// The socket's own remote address.
fn address(record: &LiveSocket) -> u128 {
    let mut octets = [0; 16];
    for (place, word) in octets.chunks_exact_mut(4).zip(record.key.remote) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    Ipv6Addr::from(octets).to_bits()
}
