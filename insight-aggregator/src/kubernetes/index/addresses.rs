//! Who had which address when.
//!
//! Pod addresses are used again, sometimes within seconds, and the API tells of it late and to the second. So each holder of an address has the time in which
//! it may have had it, as short as what is known allows; who cannot be told apart in some time is named together.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::Key;
use crate::kubernetes::object::Text;
use crate::model::UnixMs;

/// Whose an address is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// A pod with a network of its own, by UID.
    Pod(Text),
    /// A Service, by namespace and name.
    Service(Key),
    /// A node, by name.
    Node(Text),
}

/// A time in which an address may have been somebody's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holding {
    holder: Holder,
    /// It was not the holder's before.
    from: UnixMs,
    /// The API said so by then.
    seen: UnixMs,
    /// It was not the holder's from here on.
    until: Option<UnixMs>,
}

impl Holding {
    fn touches(&self, from: UnixMs, to: UnixMs) -> bool {
        self.from <= to && self.until.is_none_or(|until| from < until)
    }
}

/// Every address with those who had it.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    holdings: HashMap<IpAddr, Vec<Holding>>,
    /// Those that had several holders: few, and they alone need a closer look.
    shared: HashSet<IpAddr>,
}

impl Addresses {
    /// `holder` has this address, from `from` at the earliest, as the API says at `seen`. Said again it stays what it was, but for a known end.
    pub(super) fn hold(
        &mut self,
        address: IpAddr,
        holder: &Holder,
        from: UnixMs,
        seen: UnixMs,
        until: Option<UnixMs>,
    ) {
        // Nearly all addresses have one holder.
        let of_address = self
            .holdings
            .entry(address)
            .or_insert_with(|| Vec::with_capacity(1));
        match of_address.iter_mut().find(|known| known.holder == *holder) {
            Some(known) => {
                known.from = from;
                known.until = until;
            }
            None => of_address.push(Holding {
                holder: holder.clone(),
                from,
                seen,
                until,
            }),
        }
        if of_address.len() > 1 {
            self.shared.insert(address);
        }
    }

    /// `holder` has lost the address by `until`, or before somebody else was seen with it: nobody gets an address that another one still has.
    pub(super) fn release(&mut self, address: IpAddr, holder: &Holder, until: UnixMs) {
        let Some(of_address) = self.holdings.get_mut(&address) else {
            return;
        };
        let Some(at) = of_address.iter().position(|known| known.holder == *holder) else {
            return;
        };
        let from = of_address[at].from;
        let next = of_address
            .iter()
            .filter(|other| other.holder != *holder && other.from > from)
            .map(|other| other.seen)
            .min();
        let until = next.map_or(until, |next| next.min(until));
        let known = &mut of_address[at];
        known.until = Some(known.until.map_or(until, |known| known.min(until)));
    }

    /// Who may have had the address between the two, both included.
    pub(super) fn holders(
        &self,
        address: IpAddr,
        from: UnixMs,
        to: UnixMs,
    ) -> impl Iterator<Item = &Holder> {
        self.holdings
            .get(&address)
            .into_iter()
            .flatten()
            .filter(move |holding| holding.touches(from, to))
            .map(|holding| &holding.holder)
    }

    /// The moments within a range at which an address changed hands, in order, for each that did.
    pub(super) fn changes(&self, from: UnixMs, to: UnixMs) -> HashMap<IpAddr, Vec<UnixMs>> {
        let within = |at: &UnixMs| from < *at && *at < to;
        self.shared
            .iter()
            .filter_map(|address| {
                let touching = || {
                    let of_address = self.holdings.get(address).into_iter().flatten();
                    of_address.filter(|holding| holding.touches(from, to))
                };
                if touching().count() < 2 {
                    return None;
                }
                let mut moments: Vec<UnixMs> = touching()
                    .flat_map(|holding| [Some(holding.from), Some(holding.seen), holding.until])
                    .flatten()
                    .filter(within)
                    .collect();
                moments.sort_unstable();
                moments.dedup();
                (!moments.is_empty()).then_some((*address, moments))
            })
            .collect()
    }

    /// Forgets who lost an address before `before`.
    pub(super) fn forget(&mut self, before: UnixMs) {
        self.holdings.retain(|_, of_address| {
            of_address.retain(|holding| holding.until.is_none_or(|until| until >= before));
            !of_address.is_empty()
        });
        let holdings = &self.holdings;
        self.shared
            .retain(|address| holdings.get(address).is_some_and(|them| them.len() > 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str) -> Holder {
        Holder::Pod(uid.into())
    }

    fn at(addresses: &Addresses, from: UnixMs, to: UnixMs) -> Vec<&Holder> {
        addresses.holders(HERE, from, to).collect()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn an_address_is_its_holders_in_the_holders_time_only() {
        let (a, b) = (pod("a"), pod("b"));
        let mut addresses = Addresses::default();
        addresses.hold(HERE, &a, 100, 110, None);
        addresses.release(HERE, &a, 200);
        addresses.hold(HERE, &b, 250, 260, None);
        assert!(at(&addresses, 0, 99).is_empty());
        assert_eq!(at(&addresses, 150, 199), [&a]);
        assert!(at(&addresses, 200, 249).is_empty());
        assert_eq!(at(&addresses, 300, 400), [&b]);
        assert_eq!(at(&addresses, 199, 250), [&a, &b]);
        assert_eq!(addresses.changes(0, 1000)[&HERE], [100, 110, 200, 250, 260]);
        assert!(addresses.changes(201, 1000).is_empty(), "a is out of it");
    }

    #[test]
    fn a_late_deletion_ends_where_the_next_was_seen() {
        let (a, b) = (pod("a"), pod("b"));
        let mut addresses = Addresses::default();
        addresses.hold(HERE, &a, 100, 110, None);
        addresses.hold(HERE, &b, 200, 230, None);
        assert_eq!(at(&addresses, 300, 300), [&a, &b], "both say it is theirs");
        addresses.release(HERE, &a, 900);
        assert_eq!(at(&addresses, 230, 800), [&b]);
        assert_eq!(at(&addresses, 210, 210), [&a, &b], "one of them had it");
        addresses.release(HERE, &a, 950);
        assert_eq!(at(&addresses, 230, 800), [&b], "told again");
    }

    #[test]
    fn an_end_that_is_known_is_not_moved_by_the_deletion() {
        let a = pod("a");
        let mut addresses = Addresses::default();
        addresses.hold(HERE, &a, 100, 110, None);
        addresses.hold(HERE, &a, 100, 150, Some(140));
        addresses.release(HERE, &a, 170);
        assert!(at(&addresses, 140, 300).is_empty());
        assert_eq!(at(&addresses, 139, 300), [&a]);
        addresses.forget(141);
        assert!(at(&addresses, 0, 300).is_empty());
    }
}
