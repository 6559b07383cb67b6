//! Where the aggregator is, by address.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tonic::codegen::http::Uri;

/// Addresses that are kept; those of a name that moves on for ever are not all of interest.
const MAX_ADDRESSES: usize = 64;

/// The aggregator's port, and the addresses that its name had since the agent started.
#[derive(Debug, Default)]
pub struct Destination {
    host: String,
    port: u16,
    addresses: Mutex<BTreeSet<IpAddr>>,
}

impl Destination {
    /// Where a valid URL leads; nothing was looked up yet.
    pub fn of(url: &Uri) -> Self {
        let by_scheme = if url.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let host = url.host().unwrap_or_default();
        Self {
            // An IPv6 address is in brackets in a URL.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port_u16().unwrap_or(by_scheme),
            addresses: Mutex::default(),
        }
    }

    /// Looks the name up; to be done before each connect. What fails here fails the connect too.
    pub async fn look_up(&self) {
        let Ok(found) = tokio::net::lookup_host((self.host.as_str(), self.port)).await else {
            return;
        };
        let mut addresses = self.lock();
        for address in found {
            if addresses.len() < MAX_ADDRESSES {
                addresses.insert(address.ip().to_canonical());
            }
        }
    }

    /// Whether a connection there may be one to the aggregator.
    pub fn is_at(&self, address: IpAddr, port: u16) -> bool {
        port == self.port && self.lock().contains(&address)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<IpAddr>> {
        // Every change is one insert.
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_was_looked_up_is_there() {
        for (url, address, port) in [
            ("http://127.0.0.1:7701", "127.0.0.1", 7701),
            ("http://[::1]:7701/", "::1", 7701),
            ("http://127.0.0.2", "127.0.0.2", 80),
            ("https://127.0.0.2", "127.0.0.2", 443),
        ] {
            let destination = Destination::of(&url.parse().unwrap());
            let address: IpAddr = address.parse().unwrap();
            assert!(!destination.is_at(address, port), "{url}");
            destination.look_up().await;
            assert!(destination.is_at(address, port), "{url}");
            assert!(!destination.is_at(address, port + 1), "{url}");
            assert!(!destination.is_at([192, 0, 2, 1].into(), port), "{url}");
        }
    }
}
