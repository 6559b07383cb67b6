//! Which address a socket sends from that is bound to none: its network namespace's, as the kernel would choose it by subnets.
//!
//! The kernel decides by routes, which a program cannot ask for here. In a pod, with one interface, there is one answer; on a host with several
//! it is the address in the subnet of the other end, and for all else the first one.

use super::socket::{OFFSETS, constant, probe};
use super::udp_socket::{is_mapped, mapped};

/// Interfaces that are looked at; those of a host's pods come after its own.
const DEVICES: u32 = 8;
/// Addresses of each.
const ADDRESSES: u32 = 4;

/// The best one so far.
struct Best {
    /// Where the kernel keeps it; 0: there is none yet.
    entry: u64,
    /// Bits that it has in common with the other end, and two more.
    rank: u32,
}

/// The address that is used for `remote`; zeroes if there is none.
#[inline(always)]
pub(super) fn source(net: u64, remote: &[u32; 4]) -> [u32; 4] {
    if is_mapped(remote) {
        // Whoever talks to a loopback address does so from the first of them.
        if u32::from_be(remote[3]) >> 24 == 127 {
            return mapped(0x7f00_0001_u32.to_be());
        }
        let entry = interface_v4(net, u64::from(remote[3]));
        return match field::<u32>(entry, &OFFSETS.ifa_local) {
            0 => [0; 4],
            address => mapped(address),
        };
    }
    if remote[0] == 0 && remote[1] == 0 && remote[2] == 0 {
        return [0, 0, 0, 1_u32.to_be()];
    }
    let both =
        |one: u32, other: u32| u64::from(u32::from_be(one)) << 32 | u64::from(u32::from_be(other));
    let entry = interface_v6(net, both(remote[0], remote[1]), both(remote[2], remote[3]));
    field(entry, &OFFSETS.if_addr)
}

/// Where the kernel keeps the IPv4 address that is used for `remote`, network order; 0 if there is none. A function that the verifier looks at
/// by itself, once: its loops would multiply with the ways to it.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn interface_v4(net: u64, remote: u64) -> u64 {
    let remote = remote as u32;
    let mut best = Best { entry: 0, rank: 0 };
    let head = net.wrapping_add(constant(&OFFSETS.net_devices) as u64);
    let mut link = follow(head);
    for _ in 0..DEVICES {
        if link == 0 || link == head {
            break;
        }
        let device = link.wrapping_sub(constant(&OFFSETS.dev_list) as u64);
        let inet = pointer(device, &OFFSETS.ip_ptr);
        let mut entry = if inet == 0 {
            0
        } else {
            pointer(inet, &OFFSETS.ifa_list)
        };
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
                best = Best { entry, rank };
            }
            entry = pointer(entry, &OFFSETS.ifa_next);
        }
        link = follow(link);
    }
    best.entry
}

/// The same for IPv6: the remote address in two halves, host order.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn interface_v6(net: u64, remote_high: u64, remote_low: u64) -> u64 {
    let mut best = Best { entry: 0, rank: 0 };
    let head = net.wrapping_add(constant(&OFFSETS.net_devices) as u64);
    let mut link = follow(head);
    for _ in 0..DEVICES {
        if link == 0 || link == head {
            break;
        }
        let device = link.wrapping_sub(constant(&OFFSETS.dev_list) as u64);
        let inet = pointer(device, &OFFSETS.ip6_ptr);
        let addresses = inet.wrapping_add(constant(&OFFSETS.addr_list) as u64);
        let mut next = if inet == 0 { 0 } else { follow(addresses) };
        for _ in 0..ADDRESSES {
            if next == 0 || next == addresses {
                break;
            }
            let entry = next.wrapping_sub(constant(&OFFSETS.if_list) as u64);
            let [high, low]: [u64; 2] = field(entry, &OFFSETS.if_addr);
            let (high, low) = (u64::from_be(high), u64::from_be(low));
            let prefix = field::<u32>(entry, &OFFSETS.prefix_len) & 0x7f;
            let (high_differs, low_differs) = (high ^ remote_high, low ^ remote_low);
            let rank = if high_differs | low_differs == 0 {
                u32::MAX
            } else if begins_alike(high_differs, low_differs, prefix) {
                2 + prefix
            } else {
                // A link's own address is used on the link only.
                u32::from(high >> 54 != 0xfe80 >> 6)
            };
            // The loopback's own begins with zeroes.
            if rank > best.rank && high != 0 {
                best = Best { entry, rank };
            }
            next = follow(next);
        }
        link = follow(link);
    }
    best.entry
}

/// Whether so many bits are the same, of those that differ. Few branches: the verifier follows each.
#[inline(always)]
fn begins_alike(high: u64, low: u64, bits: u32) -> bool {
    if bits <= 64 {
        return bits == 0 || high >> (64_u32.wrapping_sub(bits) & 63) == 0;
    }
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
