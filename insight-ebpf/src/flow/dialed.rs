//! What a program asked for, noted for its flow where its socket leads somewhere else.

use super::Socket;
use crate::abi::{Address, DIALED_PLACES, DialedKey, ROLE_CLIENT};

/// The maps of dialed addresses.
pub trait DialedMaps {
    /// Takes what the connect of a socket asked for.
    fn take_asked(&self, socket: u64) -> Option<Address>;
    /// What is noted there.
    fn noted(&self, key: &DialedKey) -> Option<Address>;
    /// Notes it, unless something is there already.
    fn note(&self, key: &DialedKey, address: &Address);
    /// Counts what found no place.
    fn lost(&self);
}

/// A socket sends its SYN: since it was connected it has both addresses.
#[inline(always)]
pub fn on_syn_sent<M: DialedMaps, S: Socket>(maps: &M, socket: &S) {
    let Some(asked) = maps.take_asked(socket.address()) else {
        return;
    };
    let (_, remote) = socket.addresses();
    let is_there = remote == asked.address && socket.remote_port() == asked.port;
    if is_there || is_any(&asked.address) {
        return;
    }
    let mut key = DialedKey {
        flow: socket.key(ROLE_CLIENT),
        place: 0,
    };
    while key.place < DIALED_PLACES {
        match maps.noted(&key) {
            Some(known) if known == asked => return,
            Some(_) => key.place += 1,
            // Where another CPU was faster, the next connect finds its place.
            None => return maps.note(&key, &asked),
        }
    }
    maps.lost();
}

/// To the kernel 0.0.0.0 and :: are this host.
#[inline(always)]
fn is_any(address: &[u32; 4]) -> bool {
    let is_mapped = address[2] == 0xffff_u32.to_be();
    address[0] == 0 && address[1] == 0 && address[3] == 0 && (address[2] == 0 || is_mapped)
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};

    extern crate std;
    use std::collections::BTreeMap;

    use super::*;
    use crate::flow::tests::FakeSocket;

    #[derive(Default)]
    struct Maps {
        asked: Cell<Option<Address>>,
        noted: RefCell<BTreeMap<DialedKey, Address>>,
        lost: Cell<u32>,
    }

    impl DialedMaps for Maps {
        fn take_asked(&self, _: u64) -> Option<Address> {
            self.asked.take()
        }

        fn noted(&self, key: &DialedKey) -> Option<Address> {
            self.noted.borrow().get(key).copied()
        }

        fn note(&self, key: &DialedKey, address: &Address) {
            self.noted.borrow_mut().entry(*key).or_insert(*address);
        }

        fn lost(&self) {
            self.lost.set(self.lost.get() + 1);
        }
    }

    fn v4(last: u8, port: u16) -> Address {
        let words = [0, 0, 0xffff_u32, 0x0a60_0000 | u32::from(last)];
        Address {
            address: words.map(u32::to_be),
            port,
            padding: 0,
        }
    }

    fn connect(maps: &Maps, asked: Address) {
        maps.asked.set(Some(asked));
        on_syn_sent(maps, &FakeSocket::client());
    }

    #[test]
    fn what_was_asked_for_is_noted_once_for_its_flow() {
        let maps = Maps::default();
        for _ in 0..3 {
            connect(&maps, v4(1, 80));
        }
        let noted = maps.noted.borrow();
        let key = DialedKey {
            flow: FakeSocket::client().key(ROLE_CLIENT),
            place: 0,
        };
        assert_eq!(*noted, BTreeMap::from([(key, v4(1, 80))]));
        assert_eq!(maps.lost.get(), 0);
    }

    #[test]
    fn a_socket_that_leads_where_it_was_told_to_is_not_noted() {
        let maps = Maps::default();
        let socket = FakeSocket::client();
        let there = Address {
            address: socket.addresses().1,
            port: socket.remote_port(),
            padding: 0,
        };
        connect(&maps, there);
        for any in [[0; 4], [0, 0, 0xffff_u32.to_be(), 0]] {
            let any = Address {
                address: any,
                ..there
            };
            connect(&maps, any);
        }
        on_syn_sent(&maps, &socket);
        assert!(maps.noted.borrow().is_empty());
        // Another port is another place.
        connect(&maps, Address { port: 1, ..there });
        assert_eq!(maps.noted.borrow().len(), 1);
    }

    #[test]
    fn a_flow_keeps_a_few_and_counts_the_rest() {
        let maps = Maps::default();
        for round in 0..2 {
            for last in 1..=6 {
                connect(&maps, v4(last, 80));
            }
            assert_eq!(maps.noted.borrow().len(), 4);
            assert_eq!(maps.lost.get(), 2 * (round + 1));
        }
    }
}
