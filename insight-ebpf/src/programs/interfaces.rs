//! Which address a socket sends from that is bound to none: its network namespace's, as the kernel would choose it by subnets.
//!
//! The kernel decides by routes, which a program cannot ask for here. In a pod, with one interface, there is one answer; on a host with several
//! it is the address in the subnet of the other end, and for all else the first one.

use super::socket::{OFFSETS, constant, probe};
use super::udp_socket::{is_mapped, mapped};

/// Interfaces that are looked at; those of a host's pods come after its own.
const DEVICES: u32 = 16;
/// Addresses of each.
const ADDRESSES: u32 = 4;

/// The best one so far.
struct Best {
    address: [u32; 4],
    /// Bits that it has in common with the other end, and one more; 0: there is none yet.
    rank: u32,
}

/// The address that is used for `remote`; zeroes if there is none.
#[inline(always)]
pub(super) fn source(net: u64, remote: &[u32; 4]) -> [u32; 4] {
    let is_v4 = is_mapped(remote);
    // Whoever talks to a loopback address does so from the first of them.
    if is_v4 && u32::from_be(remote[3]) >> 24 == 127 {
        return mapped(0x7f00_0001_u32.to_be());
    }
    if !is_v4 && remote[0] == 0 && remote[1] == 0 && remote[2] == 0 {
        return [0, 0, 0, 1_u32.to_be()];
    }
    let mut best = Best {
        address: [0; 4],
        rank: 0,
    };
    let head = net.wrapping_add(constant(&OFFSETS.net_devices) as u64);
    let mut link = follow(head);
    for _ in 0..DEVICES {
        if link == 0 || link == head {
            break;
        }
        let device = link.wrapping_sub(constant(&OFFSETS.dev_list) as u64);
        if is_v4 {
            addresses_v4(device, remote[3], &mut best);
        } else {
            addresses_v6(device, remote, &mut best);
        }
        link = follow(link);
    }
    best.address
}

#[inline(always)]
fn addresses_v4(device: u64, remote: u32, best: &mut Best) {
    let inet = pointer(device, &OFFSETS.ip_ptr);
    if inet == 0 {
        return;
    }
    let mut entry = pointer(inet, &OFFSETS.ifa_list);
    for _ in 0..ADDRESSES {
        if entry == 0 {
            break;
        }
        let address: u32 = field(entry, &OFFSETS.ifa_local);
        let mask: u32 = field(entry, &OFFSETS.ifa_mask);
        let rank = if address == remote {
            u32::MAX
        } else if (address ^ remote) & mask == 0 {
            2 + u32::from_be(mask).count_ones()
        } else {
            1
        };
        // The loopback's own comes first, and is used for itself only.
        if rank > best.rank && u32::from_be(address) >> 24 != 127 {
            (best.rank, best.address) = (rank, mapped(address));
        }
        entry = pointer(entry, &OFFSETS.ifa_next);
    }
}

#[inline(always)]
fn addresses_v6(device: u64, remote: &[u32; 4], best: &mut Best) {
    let inet = pointer(device, &OFFSETS.ip6_ptr);
    if inet == 0 {
        return;
    }
    let head = inet.wrapping_add(constant(&OFFSETS.addr_list) as u64);
    let mut link = follow(head);
    for _ in 0..ADDRESSES {
        if link == 0 || link == head {
            break;
        }
        let entry = link.wrapping_sub(constant(&OFFSETS.if_list) as u64);
        let address: [u32; 4] = field(entry, &OFFSETS.if_addr);
        let prefix: u32 = field(entry, &OFFSETS.prefix_len);
        let rank = if address == *remote {
            u32::MAX
        } else if begins_alike(&address, remote, prefix & 0x7f) {
            2 + (prefix & 0x7f)
        } else {
            u32::from(!is_link_local(&address))
        };
        if rank > best.rank && (address[0] != 0 || address[1] != 0) {
            (best.rank, best.address) = (rank, address);
        }
        link = follow(link);
    }
}

#[inline(always)]
fn is_link_local(address: &[u32; 4]) -> bool {
    u32::from_be(address[0]) >> 22 == 0xfe80 >> 6
}

/// Whether so many bits are the same. Few branches: the verifier follows each.
#[inline(always)]
fn begins_alike(one: &[u32; 4], other: &[u32; 4], bits: u32) -> bool {
    let differs = |word: usize| u64::from(u32::from_be(one[word] ^ other[word]));
    let high = differs(0) << 32 | differs(1);
    if bits <= 64 {
        return bits == 0 || high >> (64_u32.wrapping_sub(bits) & 63) == 0;
    }
    let low = differs(2) << 32 | differs(3);
    high == 0 && low >> (128_u32.wrapping_sub(bits) & 63) == 0
}

/// The next entry of a `list_head`.
#[inline(always)]
fn follow(link: u64) -> u64 {
    probe(link, 0).unwrap_or(0)
}

#[inline(always)]
fn pointer(base: u64, offset: &u32) -> u64 {
    probe(base, constant(offset)).unwrap_or(0)
}

#[inline(always)]
fn field<T: Default>(base: u64, offset: &u32) -> T {
    probe(base, constant(offset)).unwrap_or_default()
}
