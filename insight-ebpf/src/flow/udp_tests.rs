//! Who began a conversation, and what is counted of it, with the kernel's maps and sockets played by plain memory.

use core::cell::{Cell, RefCell};

extern crate std;
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use super::udp::{Address, Count, Event, Talks, UdpSocket};
use super::{Found, Maps, Update, on_message, on_refused, on_socket};
use crate::abi::{
    Conversation, FlowKey, FlowTotals, PROTOCOL_UDP, ROLE_CLIENT, ROLE_SERVER, ROLE_UNKNOWN_LOCAL,
    ROLE_UNKNOWN_REMOTE, Talk, WINDOW_NS,
};

const fn v4(host: u32) -> Address {
    [0, 0, 0xffff_u32.to_be(), (0x0a00_0000 + host).to_be()]
}

const OWN: Address = v4(1);
const OTHER: Address = v4(2);
const NONE: Address = [0; 4];
const GROUP: Address = [0, 0, 0xffff_u32.to_be(), 0xe000_00fb_u32.to_be()];

#[derive(Default)]
struct FakeMaps {
    flows: RefCell<BTreeMap<FlowKey, FlowTotals>>,
    room: Option<usize>,
    retired: RefCell<BTreeSet<FlowKey>>,
    overflowed: Cell<u64>,
    widens: Cell<bool>,
    announced: RefCell<Vec<FlowKey>>,
    talks: RefCell<BTreeMap<Conversation, Talk>>,
    older: RefCell<BTreeSet<u64>>,
    now: Cell<u64>,
}

impl FakeMaps {
    fn new() -> Self {
        let maps = Self::default();
        maps.now.set(5 * WINDOW_NS);
        maps
    }

    /// The only flow's role, port and counts.
    fn only(&self) -> (u8, u16, FlowTotals) {
        let flows = self.flows.borrow();
        assert_eq!(flows.len(), 1, "{flows:?}");
        let (key, totals) = flows.iter().next().unwrap();
        assert_eq!((key.local, key.protocol), (OWN, PROTOCOL_UDP));
        (key.role, key.port, *totals)
    }

    fn roles(&self) -> Vec<(u8, u16)> {
        let flows = self.flows.borrow();
        flows.keys().map(|key| (key.role, key.port)).collect()
    }

    fn wait(&self, ns: u64) {
        self.now.set(self.now.get() + ns);
    }
}

impl Maps for FakeMaps {
    type Entry = FlowKey;

    fn find(&self, key: &FlowKey) -> Found<FlowKey> {
        match self.flows.borrow().get(key) {
            None => Found::Missing,
            Some(_) if self.retired.borrow().contains(key) => Found::Retired,
            Some(_) => Found::Live(*key),
        }
    }
    fn add(&self, key: FlowKey, more: &Update) {
        let mut flows = self.flows.borrow_mut();
        let totals = flows.get_mut(&key).expect("it was found");
        totals.opened += more.opened;
        totals.bytes_sent += more.bytes_sent;
        totals.bytes_received += more.bytes_received;
        totals.messages_sent += more.messages_sent;
        totals.messages_received += more.messages_received;
        totals.failed_refused += more.failed_refused;
    }
    fn insert(&self, key: &FlowKey) -> bool {
        let mut flows = self.flows.borrow_mut();
        if flows.contains_key(key) || self.room.is_some_and(|room| flows.len() == room) {
            return false;
        }
        flows.insert(*key, FlowTotals::default());
        true
    }
    fn has_spares(&self) -> bool {
        !self.retired.borrow().is_empty()
    }
    fn count_spare(&self) {}
    fn count_overflow(&self) {
        self.overflowed.set(self.overflowed.get() + 1);
    }
    fn widens(&self) -> bool {
        self.widens.get()
    }
    fn is_outside(&self, _: &Address) -> bool {
        true
    }
    fn prefix(&self, is_v4: bool) -> u8 {
        if is_v4 { 96 + 24 } else { 48 }
    }
    fn announce(&self, key: &FlowKey) {
        self.announced.borrow_mut().push(*key);
    }
    fn taking_baseline(&self) -> bool {
        false
    }
    fn mark(&self, _: u64, _: u8) -> u8 {
        0
    }
    fn remark(&self, _: u64, _: u8) {}
}

impl Talks for FakeMaps {
    fn now(&self) -> u64 {
        self.now.get()
    }
    fn talk<T>(&self, with: &Conversation, look: impl FnOnce(&mut Talk) -> T) -> Option<T> {
        // Copied: what looks may use the maps.
        let mut talk = *self.talks.borrow().get(with)?;
        let found = look(&mut talk);
        self.talks.borrow_mut().insert(*with, talk);
        Some(found)
    }
    fn remember(&self, with: &Conversation, talk: &Talk) {
        self.talks.borrow_mut().insert(*with, *talk);
    }
    fn may_be_older(&self, socket: u64) -> bool {
        self.older.borrow().contains(&socket)
    }
    fn is_older(&self, socket: u64) {
        self.older.borrow_mut().insert(socket);
    }
}

#[derive(Clone, Copy)]
struct FakeSocket {
    local: (Address, u16),
    connected: Option<(Address, u16)>,
    chose_port: bool,
    has_heard: bool,
    in_scope: bool,
}

/// Bound to a port that its program chose, on no address.
const fn bound(port: u16) -> FakeSocket {
    FakeSocket {
        local: (NONE, port),
        connected: None,
        chose_port: true,
        has_heard: false,
        in_scope: true,
    }
}

/// Connected from a port that the kernel chose.
const CONNECTED: FakeSocket = FakeSocket {
    local: (OWN, 40_000),
    connected: Some((OTHER, 53)),
    chose_port: false,
    has_heard: true,
    in_scope: true,
};

impl UdpSocket for FakeSocket {
    fn address(&self) -> u64 {
        u64::from(self.local.1)
    }
    fn cgroup(&self) -> u64 {
        7
    }
    fn in_scope(&self) -> bool {
        self.in_scope
    }
    fn netns(&self) -> u64 {
        9
    }
    fn local(&self) -> (Address, u16) {
        self.local
    }
    fn connected(&self) -> Option<(Address, u16)> {
        self.connected
    }
    fn chose_port(&self) -> bool {
        self.chose_port
    }
    fn has_heard(&self) -> bool {
        self.has_heard
    }
    fn source(&self, _: &Address) -> Address {
        OWN
    }
}

fn sent(maps: &FakeMaps, socket: &FakeSocket, to: (Address, u16)) {
    on_message(maps, socket, to, Event::Sent, Count::Sent(10));
}

fn received(maps: &FakeMaps, socket: &FakeSocket, from: (Address, u16)) {
    on_message(maps, socket, from, Event::Received, Count::Received(300));
}

#[test]
fn who_sends_first_is_the_client_whatever_the_ports() {
    for (own, other) in [(40_000, 53), (53, 40_000), (123, 123)] {
        let maps = FakeMaps::new();
        sent(&maps, &bound(own), (OTHER, other));
        received(&maps, &bound(own), (OTHER, other));
        let (role, port, totals) = maps.only();
        assert_eq!((role, port), (ROLE_CLIENT, other));
        assert_eq!((totals.opened, totals.messages_sent), (1, 1));
        assert_eq!((totals.messages_received, totals.bytes_received), (1, 300));
        assert_eq!(maps.announced.borrow().len(), 1);

        let maps = FakeMaps::new();
        received(&maps, &bound(own), (OTHER, other));
        sent(&maps, &bound(own), (OTHER, other));
        let (role, port, totals) = maps.only();
        assert_eq!((role, port), (ROLE_SERVER, own));
        assert_eq!((totals.opened, totals.bytes_sent), (1, 10));
    }
}

#[test]
fn clients_of_one_address_are_one_flow_with_as_many_conversations() {
    let maps = FakeMaps::new();
    for port in 40_000..40_100 {
        received(&maps, &bound(53), (OTHER, port));
        sent(&maps, &bound(53), (OTHER, port));
    }
    let (role, port, totals) = maps.only();
    assert_eq!((role, port, totals.opened), (ROLE_SERVER, 53, 100));
    assert_eq!((totals.messages_sent, totals.messages_received), (100, 100));
}

#[test]
fn a_conversation_is_over_after_a_silence_and_another_one_begins() {
    let maps = FakeMaps::new();
    sent(&maps, &bound(5_000), (OTHER, 53));
    // Not silent for long enough, twice.
    for _ in 0..2 {
        maps.wait(WINDOW_NS - 1);
        sent(&maps, &bound(5_000), (OTHER, 53));
    }
    assert_eq!(maps.only().2.opened, 1);
    maps.wait(WINDOW_NS);
    sent(&maps, &bound(5_000), (OTHER, 53));
    let totals = maps.only().2;
    assert_eq!((totals.opened, totals.messages_sent), (2, 4));
}

#[test]
fn a_forgotten_conversation_keeps_its_roles() {
    // A late answer must not make a server of a client, with a port that no server has.
    let maps = FakeMaps::new();
    sent(&maps, &bound(40_000), (OTHER, 53));
    maps.wait(2 * WINDOW_NS);
    received(&maps, &bound(40_000), (OTHER, 53));
    assert_eq!(maps.only().0, ROLE_CLIENT);

    let maps = FakeMaps::new();
    received(&maps, &bound(53), (OTHER, 40_000));
    maps.talks.borrow_mut().clear();
    sent(&maps, &bound(53), (OTHER, 40_000));
    assert_eq!((maps.only().0, maps.only().1), (ROLE_SERVER, 53));
}

#[test]
fn an_older_socket_has_unknown_roles_and_the_lower_port() {
    for (own, other, role, port) in [
        (53, 40_000, ROLE_UNKNOWN_LOCAL, 53),
        (40_000, 53, ROLE_UNKNOWN_REMOTE, 53),
        (123, 123, ROLE_UNKNOWN_LOCAL, 123),
    ] {
        for first in [sent, received] {
            let maps = FakeMaps::new();
            maps.is_older(u64::from(own));
            first(&maps, &bound(own), (OTHER, other));
            assert_eq!(maps.roles(), [(role, port)]);
        }
    }
    // The other end of two that are the same comes to the same.
    let maps = FakeMaps::new();
    maps.is_older(123);
    sent(&maps, &bound(123), (v4(0), 123));
    assert_eq!(maps.roles(), [(ROLE_UNKNOWN_REMOTE, 123)]);
}

#[test]
fn an_older_conversation_stays_unknown_until_it_is_over() {
    let maps = FakeMaps::new();
    maps.is_older(53);
    received(&maps, &bound(53), (OTHER, 40_000));
    maps.older.borrow_mut().clear();
    maps.wait(WINDOW_NS / 2);
    received(&maps, &bound(53), (OTHER, 40_000));
    assert_eq!(maps.roles(), [(ROLE_UNKNOWN_LOCAL, 53)]);
    maps.wait(WINDOW_NS);
    received(&maps, &bound(53), (OTHER, 40_000));
    let roles = [(ROLE_SERVER, 53), (ROLE_UNKNOWN_LOCAL, 53)];
    assert_eq!(maps.roles(), roles);
}

#[test]
fn nobody_sends_first_to_a_port_that_the_kernel_chose_at_connect() {
    let maps = FakeMaps::new();
    maps.is_older(40_000);
    received(&maps, &CONNECTED, (OTHER, 53));
    assert_eq!(maps.roles(), [(ROLE_CLIENT, 53)]);
    let chose = FakeSocket {
        chose_port: true,
        ..CONNECTED
    };
    let maps = FakeMaps::new();
    received(&maps, &chose, (OTHER, 53));
    assert_eq!(maps.roles(), [(ROLE_SERVER, 40_000)]);
}

#[test]
fn a_servers_socket_for_one_client_is_a_servers() {
    let maps = FakeMaps::new();
    received(&maps, &bound(4_433), (OTHER, 40_000));
    let own = FakeSocket {
        local: (OWN, 4_433),
        connected: Some((OTHER, 40_000)),
        chose_port: true,
        ..CONNECTED
    };
    sent(&maps, &own, (OTHER, 40_000));
    let (role, port, totals) = maps.only();
    assert_eq!((role, port), (ROLE_SERVER, 4_433));
    assert_eq!((totals.messages_sent, totals.messages_received), (1, 1));
}

#[test]
fn whoever_answers_a_group_is_its_server() {
    let maps = FakeMaps::new();
    sent(&maps, &bound(40_000), (GROUP, 1_900));
    for answers in [OTHER, v4(3)] {
        received(&maps, &bound(40_000), (answers, 50_000));
    }
    assert!(
        maps.roles()
            .iter()
            .all(|role| *role == (ROLE_CLIENT, 1_900))
    );
    assert_eq!(maps.roles().len(), 3);
    // Long afterwards that is nobody's answer.
    maps.wait(2 * WINDOW_NS);
    received(&maps, &bound(40_000), (v4(4), 50_000));
    assert!(maps.roles().contains(&(ROLE_SERVER, 40_000)));
}

#[test]
fn an_open_socket_shows_that_it_has_heard() {
    let maps = FakeMaps::new();
    let silent = FakeSocket {
        has_heard: false,
        ..CONNECTED
    };
    on_socket(&maps, &silent);
    on_socket(&maps, &bound(53));
    assert!(maps.roles().is_empty(), "a connect alone is no message");
    // Read twice, and closed: one conversation.
    for _ in 0..3 {
        on_socket(&maps, &CONNECTED);
    }
    assert_eq!((maps.only().0, maps.only().1), (ROLE_CLIENT, 53));
    assert_eq!(maps.only().2.opened, 1);
    // Idle, it is open still; and another one on that port, much later, is another conversation.
    for waits in [WINDOW_NS - 1, WINDOW_NS - 1, WINDOW_NS] {
        maps.wait(waits);
        on_socket(&maps, &CONNECTED);
    }
    assert_eq!(maps.only().2.opened, 2);
    let chose = FakeSocket {
        local: (OWN, 700),
        connected: Some((OTHER, 123)),
        chose_port: true,
        ..CONNECTED
    };
    on_socket(&maps, &chose);
    assert!(maps.roles().contains(&(ROLE_UNKNOWN_REMOTE, 123)));
}

#[test]
fn a_refusal_belongs_to_a_conversation() {
    let maps = FakeMaps::new();
    on_refused(&maps, &CONNECTED, (OTHER, 53));
    assert!(maps.roles().is_empty());
    sent(&maps, &CONNECTED, (OTHER, 53));
    on_refused(&maps, &CONNECTED, (OTHER, 53));
    assert_eq!(maps.only().2.failed_refused, 1);
}

#[test]
fn others_sockets_are_not_counted() {
    let maps = FakeMaps::new();
    let outside = FakeSocket {
        in_scope: false,
        ..CONNECTED
    };
    sent(&maps, &outside, (OTHER, 53));
    on_socket(&maps, &outside);
    assert!(maps.roles().is_empty() && maps.talks.borrow().is_empty());
}

#[path = "udp_room_tests.rs"]
mod room;
