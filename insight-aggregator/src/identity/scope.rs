//! How far an address means one thing.

use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_64;

/// A network namespace of one boot of one node, as a number: what 127.0.0.1 has to be told apart by. Never 0, which
/// stands for "everywhere".
pub fn scope(boot_id: &str, netns: u64) -> u64 {
    let mut bytes = Vec::with_capacity(boot_id.len() + 8);
    bytes.extend_from_slice(&netns.to_le_bytes());
    bytes.extend_from_slice(boot_id.as_bytes());
    xxh3_64(&bytes).max(1)
}

/// The scope of a flow between two addresses: 0 unless one of them is [local only](is_local_only). Both ends' sockets
/// get the same answer whichever of the two addresses is theirs.
///
/// `netns` is the cookie of the measured socket's network namespace. It does not count for link-local addresses: the two
/// ends of a veth pair are one link and two namespaces (a node-local DNS cache on 169.254.20.10 is called by every pod
/// of the node), so there the node's boot is as narrow as both ends can agree on.
pub fn scope_of(local: IpAddr, remote: IpAddr, boot_id: &str, netns: u64) -> u64 {
    let (local, remote) = (local.to_canonical(), remote.to_canonical());
    if in_one_namespace(local) || in_one_namespace(remote) {
        scope(boot_id, netns)
    } else if is_link_local(local) || is_link_local(remote) {
        scope(boot_id, 0)
    } else {
        0
    }
}

/// Whether the same address is another place on another node: loopback, unspecified and link-local addresses.
pub fn is_local_only(address: IpAddr) -> bool {
    let address = address.to_canonical();
    in_one_namespace(address) || is_link_local(address)
}

fn in_one_namespace(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(local: &str, remote: &str, boot: &str, netns: u64) -> u64 {
        scope_of(local.parse().unwrap(), remote.parse().unwrap(), boot, netns)
    }

    #[test]
    fn addresses_that_mean_one_thing_have_no_scope() {
        for (local, remote) in [
            ("10.0.0.1", "10.0.0.2"),
            ("10.0.0.1", "192.0.2.7"),
            ("fd00::1", "2001:db8::1"),
            ("fec0::1", "fd00::1"),
            ("169.253.0.1", "169.255.0.1"),
        ] {
            assert_eq!(of(local, remote, "boot", 1), 0, "{local} {remote}");
        }
    }

    #[test]
    fn loopback_is_told_apart_by_boot_and_namespace() {
        let here = of("127.0.0.1", "127.0.0.1", "boot", 1);
        assert_ne!(here, 0);
        assert_ne!(here, of("127.0.0.1", "127.0.0.1", "boot", 2));
        assert_ne!(here, of("127.0.0.1", "127.0.0.1", "other", 1));
        for (local, remote) in [
            ("::1", "::1"),
            ("127.8.9.1", "127.0.0.1"),
            ("10.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "10.0.0.1"),
            ("0.0.0.0", "0.0.0.0"),
            ("::", "::1"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ] {
            assert_eq!(of(local, remote, "boot", 1), here, "{local} {remote}");
        }
    }

    #[test]
    fn link_local_ends_in_two_namespaces_agree() {
        let here = of("fe80::1", "fe80::2", "boot", 1);
        assert_ne!(here, 0);
        assert_eq!(here, of("fe80::2", "fe80::1", "boot", 2));
        assert_eq!(here, of("10.244.0.7", "169.254.20.10", "boot", 3));
        assert_ne!(here, of("fe80::1", "fe80::2", "other", 1));
    }

    #[test]
    fn a_scope_is_never_everywhere() {
        assert!((0..1000).all(|netns| scope("", netns) != 0));
    }
}
