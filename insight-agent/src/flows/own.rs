//! Which flows are Insight's own: the agent's reports, and what others ask of the agent.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use insight_ebpf::abi::{FlowKey, PROTOCOL_TCP, ROLE_CLIENT, ROLE_SERVER};
use rustix::net::{AddressFamily, SocketType};

use super::row::address;
use crate::report::Destination;

/// `SO_NETNS_COOKIE`, include/uapi/asm-generic/socket.h, since Linux 5.14.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// What the agent's own connections look like. They are told by the agent's network namespace, not by its cgroup: what it shares with other programs
/// is the one as well as the other, but its cgroup is often hidden from it.
#[derive(Debug, Default)]
pub struct Own {
    /// The agent's network namespace as flows name it, which depends on the kernel: by cookie or by number.
    netns: Vec<u64>,
    /// Where the agent answers HTTP.
    listen: Option<SocketAddr>,
    destination: Arc<Destination>,
}

impl Own {
    /// Those of this process.
    pub fn new(listen: SocketAddr, destination: Arc<Destination>) -> Self {
        let number = std::fs::metadata("/proc/self/ns/net").ok();
        let number = number.map(|data| data.ino());
        Self {
            netns: cookie().into_iter().chain(number).collect(),
            listen: Some(listen),
            destination,
        }
    }

    /// Whether this flow is one of them.
    pub fn has(&self, key: &FlowKey) -> bool {
        if key.protocol != PROTOCOL_TCP || !self.netns.contains(&key.netns) {
            return false;
        }
        match key.role {
            ROLE_CLIENT => self.destination.is_at(address(&key.remote), key.port),
            ROLE_SERVER => self.listen.is_some_and(|listen| {
                let at = address(&key.local);
                let ip = listen.ip().to_canonical();
                key.port == listen.port() && (ip.is_unspecified() || ip == at)
            }),
            _ => false,
        }
    }
}

/// The cookie of this process's network namespace; `None` before Linux 5.14.
fn cookie() -> Option<u64> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)
        .or_else(|_| rustix::net::socket(AddressFamily::INET6, SocketType::DGRAM, None))
        .ok()?;
    let mut cookie = 0_u64;
    let mut size = libc::socklen_t::try_from(size_of_val(&cookie)).ok()?;
    #[expect(unsafe_code, reason = "rustix does not know this option")]
    // SAFETY: the pointer and the size describe `cookie`, which lives during the call.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut size,
        )
    };
    (answer == 0).then_some(cookie)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const HERE: u64 = 7;

    fn words(address: &str) -> [u32; 4] {
        let address: IpAddr = address.parse().unwrap();
        let octets = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let mut words = [0; 4];
        for (word, octets) in words.iter_mut().zip(octets.chunks_exact(4)) {
            *word = u32::from_ne_bytes([octets[0], octets[1], octets[2], octets[3]]);
        }
        words
    }

    async fn listening(listen: &str) -> Own {
        let destination = Destination::of(&"http://127.0.0.1:7701".parse().unwrap());
        destination.look_up().await;
        Own {
            netns: vec![HERE],
            listen: Some(listen.parse().unwrap()),
            destination: Arc::new(destination),
        }
    }

    fn key(role: u8, local: &str, remote: &str, port: u16) -> FlowKey {
        FlowKey {
            netns: HERE,
            local: words(local),
            remote: words(remote),
            port,
            role,
            protocol: PROTOCOL_TCP,
            ..FlowKey::default()
        }
    }

    #[tokio::test]
    async fn reports_and_what_is_asked_of_the_agent_are_its_own() {
        let own = listening("127.0.0.1:7702").await;
        let report = key(ROLE_CLIENT, "127.0.0.1", "127.0.0.1", 7701);
        let scrape = key(ROLE_SERVER, "127.0.0.1", "127.0.0.1", 7702);
        assert!(own.has(&report) && own.has(&scrape));
        for other in [
            FlowKey { netns: 8, ..report },
            FlowKey { netns: 8, ..scrape },
            FlowKey {
                protocol: 17,
                ..report
            },
            key(ROLE_CLIENT, "10.0.0.1", "10.0.0.2", 7701),
            key(ROLE_CLIENT, "127.0.0.1", "127.0.0.1", 7702),
            key(ROLE_SERVER, "127.0.0.1", "127.0.0.1", 7701),
            key(ROLE_SERVER, "10.0.0.1", "10.0.0.2", 7702),
        ] {
            assert!(!own.has(&other), "{other:?}");
        }
        let everywhere = listening("[::]:7702").await;
        assert!(everywhere.has(&key(ROLE_SERVER, "10.0.0.1", "10.0.0.2", 7702)));
        assert!(everywhere.has(&key(ROLE_SERVER, "fd00::1", "fd00::2", 7702)));
    }

    #[test]
    fn this_process_has_a_network_namespace() {
        let own = Own::new("127.0.0.1:7702".parse().unwrap(), Arc::default());
        assert!(!own.netns.is_empty() && !own.netns.contains(&0));
    }
}
