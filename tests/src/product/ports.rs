//! Ports for daemons, that stay theirs over a restart.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// Below the range from which the kernel takes clients' ports (32768 and up by default): there a client of another test
/// could take the port while its daemon is down, or connect to itself.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port of 127.0.0.1 on which nobody listens. Each call gives another one.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(61);
    (0..COUNT)
        .map(|_| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            FIRST + start.wrapping_add(number) % COUNT
        })
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port from 12000 to 31999 on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_differ() {
        let (one, two) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(one, two);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, one)).unwrap();
    }
}
