//! Addresses that stood between the ends of a flow.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What a client's row says of an address that was put in another one's place on the way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialed {
    /// The program asked for this; the socket leads to the row's remote address.
    Asked(SocketAddr),
    /// The socket holds the row's remote address; packets of some of the row's connections went to `to`.
    Translated {
        /// Where they went.
        to: SocketAddr,
        /// The client's address as the server saw it, if that was not the row's local one.
        source: Option<IpAddr>,
        /// As [`RowKey::scope`](super::RowKey::scope), of these two addresses.
        scope: u64,
    },
}

/// All that is known of one row.
pub type AllDialed = BTreeSet<Dialed>;

/// Kept of one row: a Service with more backends that one client was seen to reach is not resolved further.
pub const MAX_DIALED: usize = 64;

/// Adds one; whether there was room.
pub fn add_dialed(all: &mut AllDialed, one: Dialed) -> bool {
    all.contains(&one) || all.len() < MAX_DIALED && all.insert(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_and_for_those_again() {
        let asked = |port| Dialed::Asked(([10, 96, 0, 1], port).into());
        let mut all = AllDialed::new();
        for port in 0..64 {
            assert!(add_dialed(&mut all, asked(port)));
        }
        assert!(add_dialed(&mut all, asked(7)));
        assert!(!add_dialed(&mut all, asked(64)));
        assert_eq!(all.len(), MAX_DIALED);
    }
}
