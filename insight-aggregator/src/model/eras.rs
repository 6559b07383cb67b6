//! Addresses that changed hands: rows are added up over time, and what was counted of one holder must not be added to the next one's.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{Minute, RowKey, UnixMs};

/// When addresses changed hands in a time range, for the few that did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eras {
    moments: HashMap<IpAddr, Vec<UnixMs>>,
}

impl Eras {
    /// Of these moments, each address's in order.
    pub fn new(moments: HashMap<IpAddr, Vec<UnixMs>>) -> Self {
        Self { moments }
    }

    /// Whether no address changed hands.
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// Whether this address did.
    pub fn has(&self, address: IpAddr) -> bool {
        !self.moments.is_empty() && self.moments.contains_key(&address)
    }

    /// The part of the range that a minute of a row is in: minutes of the same part have the same holders at both ends. A minute in which an address changed
    /// hands is a part of its own.
    pub fn of(&self, key: &RowKey, minute: Minute) -> u16 {
        if self.is_empty() {
            return 0;
        }
        let before = |moments: &Vec<UnixMs>, end| moments.partition_point(|at| *at < end);
        let part = [key.local_addr, key.remote_addr]
            .iter()
            .filter_map(|address| self.moments.get(address))
            .map(|moments| before(moments, minute.start()) + before(moments, minute.end()))
            .sum::<usize>();
        u16::try_from(part).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Protocol, Side};

    #[test]
    fn a_minute_with_a_change_is_a_part_of_its_own() {
        let [a, b, c] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|text| text.parse().unwrap());
        let eras = Eras::new(HashMap::from([
            (a, vec![130_000, 150_000]),
            (b, vec![240_000]),
        ]));
        let parts = |local_addr, remote_addr| -> Vec<u16> {
            let key = RowKey {
                side: Side::Client,
                local: "x".into(),
                local_addr,
                remote_addr,
                remote_prefix: 0,
                port: 80,
                protocol: Protocol::Tcp,
                scope: 0,
                own: false,
                era: 0,
            };
            (0..6).map(|minute| eras.of(&key, Minute(minute))).collect()
        };
        assert_eq!(parts(a, c), [0, 0, 2, 4, 4, 4]);
        assert_eq!(parts(c, a), parts(a, c), "either end");
        assert_eq!(parts(a, b), [0, 0, 2, 4, 5, 6]);
        assert_eq!(parts(c, c), [0; 6]);
    }
}
