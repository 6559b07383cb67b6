//! Every case of the flow logic, with the kernel's maps and sockets played by plain memory.

use core::cell::{Cell, RefCell};

extern crate std;
use std::collections::BTreeMap;
use std::vec::Vec;

use super::state::{CLOSE, CLOSE_WAIT, ESTABLISHED, FIN_WAIT1, LISTEN, SYN_RECV, SYN_SENT};
use super::{Found, Maps, Socket, Update, live_socket, matters, on_state_change};
use crate::abi::{
    FlowEntry, FlowKey, FlowTotals, MARK_CLOSED, PROTOCOL_TCP, ROLE_CLIENT, ROLE_SERVER, bucket,
};

const FIN_WAIT2: i32 = 5;
const LAST_ACK: i32 = 9;

#[derive(Default)]
struct FakeMaps {
    flows: RefCell<BTreeMap<FlowKey, FlowEntry>>,
    room: usize,
    overflowed: Cell<u64>,
    spares: Cell<u64>,
    /// Where clients are counted each by itself; `None`: everywhere.
    inside: RefCell<Option<Vec<[u32; 4]>>>,
    announced: RefCell<Vec<FlowKey>>,
    baseline: Cell<bool>,
    marks: RefCell<BTreeMap<u64, u8>>,
}

impl FakeMaps {
    /// With catch-all entries, and room for so many flows.
    fn with_room(room: usize) -> Self {
        let maps = Self {
            room: room + CATCH_ALL.len(),
            ..Self::default()
        };
        for key in CATCH_ALL {
            assert!(maps.insert(&key));
        }
        maps
    }

    fn get(&self, key: &FlowKey) -> FlowTotals {
        let flows = self.flows.borrow();
        flows
            .get(key)
            .map_or_else(FlowTotals::default, |entry| entry.totals)
    }

    /// Flows, without the catch-all entries.
    fn flows(&self) -> usize {
        self.flows.borrow().len() - CATCH_ALL.len()
    }

    fn retire(&self, key: &FlowKey) {
        if let Some(entry) = self.flows.borrow_mut().get_mut(key) {
            entry.retired = 1;
        }
    }

    fn remove(&self, key: &FlowKey) {
        self.flows.borrow_mut().remove(key);
    }
}

const CATCH_ALL: [FlowKey; 2] = [
    FlowKey::catch_all(ROLE_CLIENT, PROTOCOL_TCP),
    FlowKey::catch_all(ROLE_SERVER, PROTOCOL_TCP),
];

impl Maps for FakeMaps {
    type Entry = FlowKey;

    fn find(&self, key: &FlowKey) -> Found<FlowKey> {
        match self.flows.borrow().get(key) {
            None => Found::Missing,
            Some(entry) if entry.retired != 0 => Found::Retired,
            Some(_) => Found::Live(*key),
        }
    }

    fn add(&self, key: FlowKey, more: &Update) {
        let mut flows = self.flows.borrow_mut();
        let entry = flows.get_mut(&key).expect("it was found");
        if more.client_port != 0 {
            entry.last_port = more.client_port.into();
        }
        let totals = &mut entry.totals;
        totals.opened += more.opened;
        totals.closed += more.closed;
        totals.bytes_sent += more.bytes_sent;
        totals.bytes_received += more.bytes_received;
        totals.retransmits += more.retransmits;
        totals.failed_refused += more.failed_refused;
        totals.failed_timed_out += more.failed_timed_out;
        totals.failed_unreachable += more.failed_unreachable;
        totals.failed_other += more.failed_other;
        totals.resets += more.resets;
        totals.bytes_retransmitted += more.bytes_retransmitted;
        totals.syn_retransmits += more.syn_retransmits;
        for (histogram, us) in [
            (&mut totals.rtt, more.rtt_us),
            (&mut totals.connect, more.connect_us),
        ] {
            histogram[bucket(us)] += u32::from(us > 0);
        }
    }

    fn insert(&self, key: &FlowKey) -> bool {
        let mut flows = self.flows.borrow_mut();
        if flows.contains_key(key) || flows.len() == self.room {
            return false;
        }
        flows.insert(*key, FlowEntry::default());
        true
    }

    fn has_spares(&self) -> bool {
        self.spares.get() > 0
    }

    fn count_spare(&self) {
        self.spares.set(self.spares.get() + 1);
    }

    fn count_overflow(&self) {
        self.overflowed.set(self.overflowed.get() + 1);
    }

    fn widens(&self) -> bool {
        self.inside.borrow().is_some()
    }

    fn is_outside(&self, address: &[u32; 4]) -> bool {
        let inside = self.inside.borrow();
        inside
            .as_ref()
            .is_some_and(|inside| !inside.contains(address))
    }

    fn prefix(&self, is_v4: bool) -> u8 {
        if is_v4 { 120 } else { 48 }
    }

    fn announce(&self, key: &FlowKey) {
        self.announced.borrow_mut().push(*key);
    }

    fn taking_baseline(&self) -> bool {
        self.baseline.get()
    }

    fn mark(&self, socket: u64, mark: u8) -> u8 {
        let mut marks = self.marks.borrow_mut();
        let before = marks.get(&socket).copied().unwrap_or(0);
        if before == 0 {
            marks.insert(socket, mark);
        }
        before
    }

    fn remark(&self, socket: u64, mark: u8) {
        self.marks.borrow_mut().insert(socket, mark);
    }
}

#[derive(Clone, Copy)]
pub(super) struct FakeSocket {
    address: u64,
    /// Last part of the other end's address.
    peer: u32,
    in_scope: bool,
    state: u8,
    backlog: u32,
    held: bool,
    error: i32,
    sent: u64,
    received: u64,
    rtt_us: u32,
}

/// 10.0.0.host
fn v4(host: u32) -> [u32; 4] {
    [0, 0, 0xffff_u32.to_be(), (0x0a00_0000 + host).to_be()]
}

const CLIENT: FakeSocket = FakeSocket {
    address: 0xc0,
    peer: 2,
    in_scope: true,
    state: ESTABLISHED as u8,
    backlog: 0,
    held: true,
    error: 0,
    sent: 100,
    received: 2_000,
    rtt_us: 70,
};
const SERVER: FakeSocket = FakeSocket {
    address: 0x5e,
    backlog: 128,
    held: false,
    sent: 2_000,
    received: 100,
    ..CLIENT
};

impl FakeSocket {
    pub(super) fn client() -> Self {
        CLIENT
    }
}

impl Socket for FakeSocket {
    fn address(&self) -> u64 {
        self.address
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
    fn addresses(&self) -> ([u32; 4], [u32; 4]) {
        (v4(1), v4(self.peer))
    }
    fn local_port(&self) -> u16 {
        if self.backlog > 0 { 443 } else { 40_000 }
    }
    fn remote_port(&self) -> u16 {
        if self.backlog > 0 { 40_001 } else { 443 }
    }
    fn state(&self) -> u8 {
        self.state
    }
    fn backlog(&self) -> u32 {
        self.backlog
    }
    fn is_held(&self) -> bool {
        self.held
    }
    fn error(&self) -> i32 {
        self.error
    }
    fn bytes_sent(&self) -> u64 {
        self.sent
    }
    fn bytes_received(&self) -> u64 {
        self.received
    }
    fn retransmits(&self) -> u64 {
        1
    }
    fn bytes_retransmitted(&self) -> u64 {
        30
    }
    fn rtt_us(&self) -> u32 {
        self.rtt_us
    }
}

#[test]
fn times_and_retransmissions_are_counted_when_they_are_known() {
    let maps = FakeMaps::with_room(8);
    on_state_change(&maps, &CLIENT, SYN_SENT, ESTABLISHED);
    let slower = FakeSocket {
        rtt_us: 5_000,
        ..CLIENT
    };
    on_state_change(&maps, &slower, LAST_ACK, CLOSE);
    let totals = maps.get(&CLIENT.key(ROLE_CLIENT));
    assert_eq!(
        (totals.syn_retransmits, totals.bytes_retransmitted),
        (1, 30)
    );
    assert_eq!((totals.connect[2], totals.connect.iter().sum()), (1, 1));
    assert_eq!((totals.rtt[8], totals.rtt.iter().sum()), (1, 1));
    let unknown = FakeSocket {
        rtt_us: 0,
        ..CLIENT
    };
    on_state_change(&maps, &unknown, LAST_ACK, CLOSE);
    assert_eq!(maps.get(&CLIENT.key(ROLE_CLIENT)).rtt, totals.rtt);
}

#[test]
fn a_reset_is_counted_by_the_end_that_received_it() {
    let maps = FakeMaps::with_room(8);
    on_state_change(&maps, &CLIENT, SYN_SENT, ESTABLISHED);
    for error in [104, 32, 0, 110] {
        let socket = FakeSocket { error, ..CLIENT };
        on_state_change(&maps, &socket, ESTABLISHED, CLOSE);
    }
    let totals = maps.get(&CLIENT.key(ROLE_CLIENT));
    assert_eq!((totals.closed, totals.resets), (4, 2));
}

#[test]
fn a_client_connection_is_opened_and_closed_once() {
    let maps = FakeMaps::with_room(8);
    on_state_change(&maps, &CLIENT, CLOSE, SYN_SENT);
    on_state_change(&maps, &CLIENT, SYN_SENT, ESTABLISHED);
    on_state_change(&maps, &CLIENT, ESTABLISHED, 4);
    on_state_change(&maps, &CLIENT, FIN_WAIT2, CLOSE);
    let totals = maps.get(&CLIENT.key(ROLE_CLIENT));
    assert_eq!((totals.opened, totals.closed), (1, 1));
    assert_eq!(
        (totals.bytes_sent, totals.bytes_received, totals.retransmits),
        (100, 2_000, 1)
    );
    assert_eq!(maps.flows(), 1);
    assert_eq!(*maps.announced.borrow(), [CLIENT.key(ROLE_CLIENT)]);
}

#[test]
fn a_server_is_known_by_its_backlog_also_without_its_opening() {
    let maps = FakeMaps::with_room(8);
    on_state_change(&maps, &SERVER, LAST_ACK, CLOSE);
    let key = SERVER.key(ROLE_SERVER);
    assert_eq!(key.port, 443);
    assert_eq!((maps.get(&key).opened, maps.get(&key).closed), (0, 1));
}

#[test]
fn a_server_without_backlog_is_decided_by_what_was_opened() {
    let maps = FakeMaps::with_room(8);
    let mut server = FakeSocket {
        backlog: 0,
        ..SERVER
    };
    on_state_change(&maps, &server, SYN_RECV, ESTABLISHED);
    server.held = true;
    let live = live_socket(&maps, &server).expect("it is open");
    assert_eq!(live.key, server.key(ROLE_SERVER));
    on_state_change(&maps, &server, LAST_ACK, CLOSE);
    assert_eq!(maps.get(&server.key(ROLE_SERVER)).closed, 1);
    assert_eq!(maps.flows(), 1);
}

#[test]
fn whoever_connects_is_a_client_also_where_two_syns_meet() {
    let maps = FakeMaps::with_room(8);
    on_state_change(&maps, &CLIENT, SYN_SENT, SYN_RECV);
    on_state_change(&maps, &CLIENT, SYN_RECV, ESTABLISHED);
    let live = live_socket(&maps, &CLIENT).expect("it is open");
    assert_eq!(live.key, CLIENT.key(ROLE_CLIENT));
    on_state_change(&maps, &CLIENT, LAST_ACK, CLOSE);
    let totals = maps.get(&CLIENT.key(ROLE_CLIENT));
    assert_eq!((totals.opened, totals.closed), (1, 1));
    assert_eq!(maps.flows(), 1);
}

#[test]
fn a_connection_that_ends_before_its_handshake_does_was_one() {
    let accepted = FakeSocket {
        held: true,
        ..SERVER
    };
    for (count, next) in (1..).zip([FIN_WAIT1, CLOSE_WAIT]) {
        let maps = FakeMaps::with_room(8);
        for (old, new) in [(SYN_RECV, next), (next, LAST_ACK), (LAST_ACK, CLOSE)] {
            if matters(old, new) {
                on_state_change(&maps, &accepted, old, new);
            }
        }
        let totals = maps.get(&SERVER.key(ROLE_SERVER));
        assert_eq!((totals.opened, totals.closed), (1, 1), "case {count}");
        assert_eq!(totals.bytes_sent, 2_000);
    }
    assert!(!matters(ESTABLISHED, FIN_WAIT1) && !matters(LISTEN, SYN_RECV));
}

#[test]
fn failures_are_told_apart_by_the_sockets_error() {
    let maps = FakeMaps::with_room(8);
    for error in [111, 110, 113, 101, 0, 104] {
        on_state_change(&maps, &FakeSocket { error, ..CLIENT }, SYN_SENT, CLOSE);
    }
    let totals = maps.get(&CLIENT.key(ROLE_CLIENT));
    assert_eq!(
        (
            totals.failed_refused,
            totals.failed_timed_out,
            totals.failed_unreachable,
            totals.failed_other
        ),
        (1, 1, 2, 2)
    );
    assert_eq!((totals.opened, totals.closed, totals.bytes_sent), (0, 0, 0));
}

#[test]
fn listeners_and_half_open_sockets_are_no_connections() {
    let maps = FakeMaps::with_room(8);
    on_state_change(&maps, &SERVER, LISTEN, CLOSE);
    on_state_change(&maps, &SERVER, SYN_RECV, CLOSE);
    on_state_change(&maps, &CLIENT, CLOSE, CLOSE);
    assert!(maps.flows() == 0);
    for state in [LISTEN, SYN_SENT, CLOSE] {
        let socket = FakeSocket {
            state: state as u8,
            ..CLIENT
        };
        assert_eq!(live_socket(&maps, &socket), None);
    }
}

#[test]
fn what_is_out_of_scope_leaves_no_trace() {
    let maps = FakeMaps::with_room(8);
    let outside = FakeSocket {
        in_scope: false,
        ..CLIENT
    };
    on_state_change(&maps, &outside, SYN_SENT, ESTABLISHED);
    on_state_change(&maps, &outside, FIN_WAIT2, CLOSE);
    assert!(maps.flows() == 0 && maps.announced.borrow().is_empty());
    assert_eq!(live_socket(&maps, &outside), None);
}

#[test]
fn a_full_map_keeps_counting_what_it_knows_and_says_what_it_lost() {
    let maps = FakeMaps::with_room(1);
    on_state_change(&maps, &CLIENT, SYN_SENT, ESTABLISHED);
    on_state_change(&maps, &SERVER, SYN_RECV, ESTABLISHED);
    on_state_change(&maps, &SERVER, LAST_ACK, CLOSE);
    on_state_change(&maps, &CLIENT, FIN_WAIT2, CLOSE);
    assert_eq!(maps.get(&CLIENT.key(ROLE_CLIENT)).closed, 1);
    let lost = maps.get(&CATCH_ALL[1]);
    assert_eq!((maps.overflowed.get(), maps.flows()), (2, 1));
    assert_eq!((lost.opened, lost.closed, lost.bytes_sent), (1, 1, 2_000));
}

#[path = "place_tests.rs"]
mod place;

#[path = "baseline_tests.rs"]
mod baseline;
