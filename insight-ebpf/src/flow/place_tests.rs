//! Which entry: full maps, clients outside of the cluster, entries that the agent removes.

use super::*;

fn open_and_close(maps: &FakeMaps, socket: &FakeSocket, before: i32) {
    on_state_change(maps, socket, before, ESTABLISHED);
    on_state_change(maps, socket, LAST_ACK, CLOSE);
}

fn wide(socket: &FakeSocket) -> FlowKey {
    socket.key(ROLE_SERVER).widened(120)
}

#[test]
fn what_finds_no_room_is_not_read_either() {
    let maps = FakeMaps::with_room(0);
    on_state_change(&maps, &SERVER, SYN_RECV, ESTABLISHED);
    assert_eq!(live_socket(&maps, &SERVER), None);
    maps.baseline.set(true);
    let old = live_socket(&maps, &SERVER).expect("its baseline");
    assert_eq!((old.key, old.baseline), (CATCH_ALL[1], 1));
}

#[test]
fn the_readout_makes_the_entry_that_the_close_will_find() {
    let maps = FakeMaps::with_room(1);
    let live = live_socket(&maps, &SERVER).expect("it is open");
    assert_eq!((live.key, maps.flows()), (SERVER.key(ROLE_SERVER), 1));
    assert!(maps.announced.borrow().is_empty());
    on_state_change(&maps, &SERVER, LAST_ACK, CLOSE);
    assert_eq!(maps.get(&live.key).closed, 1);
    // Without a backlog, and never seen opening: a client, as it will be when it closes.
    let maps = FakeMaps::with_room(1);
    let server = FakeSocket {
        backlog: 0,
        ..SERVER
    };
    let live = live_socket(&maps, &server).expect("it is open");
    on_state_change(&maps, &server, LAST_ACK, CLOSE);
    assert_eq!((maps.flows(), maps.get(&live.key).closed), (1, 1));
}

#[test]
fn clients_outside_of_the_cluster_are_one_flow() {
    let maps = FakeMaps::with_room(8);
    *maps.inside.borrow_mut() = Some(std::vec![v4(2)]);
    for peer in 2..100 {
        open_and_close(&maps, &FakeSocket { peer, ..SERVER }, SYN_RECV);
    }
    assert_eq!(maps.flows(), 2);
    assert_eq!(maps.get(&SERVER.key(ROLE_SERVER)).closed, 1);
    assert_eq!(maps.get(&wide(&SERVER)).closed, 97);
    // Servers are all told apart.
    open_and_close(&maps, &FakeSocket { peer: 77, ..CLIENT }, SYN_SENT);
    assert_eq!(maps.flows(), 3);
}

#[test]
fn an_open_connection_stays_where_it_was_when_ranges_change() {
    let maps = FakeMaps::with_room(8);
    *maps.inside.borrow_mut() = Some(Vec::new());
    on_state_change(&maps, &SERVER, SYN_RECV, ESTABLISHED);
    let read = || live_socket(&maps, &SERVER).expect("it is open");
    assert_eq!((read().key.prefix, read().key.remote), (120, v4(2)));
    // The cluster grows; then it is unknown; then it shrinks.
    *maps.inside.borrow_mut() = Some(std::vec![v4(2)]);
    assert_eq!(read().key.prefix, 120);
    *maps.inside.borrow_mut() = Some(Vec::new());
    on_state_change(&maps, &SERVER, LAST_ACK, CLOSE);
    assert_eq!((maps.flows(), maps.get(&wide(&SERVER)).closed), (1, 1));

    let inside = FakeSocket { peer: 9, ..SERVER };
    *maps.inside.borrow_mut() = Some(std::vec![v4(9)]);
    on_state_change(&maps, &inside, SYN_RECV, ESTABLISHED);
    *maps.inside.borrow_mut() = Some(Vec::new());
    on_state_change(&maps, &inside, LAST_ACK, CLOSE);
    assert_eq!(maps.get(&inside.key(ROLE_SERVER)).closed, 1);
}

#[test]
fn a_server_without_backlog_finds_its_wide_flow() {
    let maps = FakeMaps::with_room(8);
    *maps.inside.borrow_mut() = Some(Vec::new());
    let server = FakeSocket {
        backlog: 0,
        ..SERVER
    };
    on_state_change(&maps, &server, SYN_RECV, ESTABLISHED);
    assert!(live_socket(&maps, &server).is_some_and(|live| live.key.prefix == 120));
    on_state_change(&maps, &server, LAST_ACK, CLOSE);
    assert_eq!((maps.flows(), maps.get(&wide(&server)).closed), (1, 1));
}

#[test]
fn a_retired_flow_goes_on_in_its_second_entry() {
    let maps = FakeMaps::with_room(8);
    let first = CLIENT.key(ROLE_CLIENT);
    let second = FlowKey {
        generation: 1,
        ..first
    };
    open_and_close(&maps, &CLIENT, SYN_SENT);
    maps.retire(&first);
    open_and_close(&maps, &CLIENT, SYN_SENT);
    assert_eq!((maps.get(&first).closed, maps.get(&second).closed), (1, 1));
    maps.remove(&first);
    on_state_change(&maps, &CLIENT, SYN_SENT, ESTABLISHED);
    assert_eq!(
        live_socket(&maps, &CLIENT).map(|live| live.key),
        Some(second)
    );
    on_state_change(&maps, &CLIENT, LAST_ACK, CLOSE);
    assert_eq!((maps.get(&second).opened, maps.flows()), (2, 1));
    maps.retire(&second);
    open_and_close(&maps, &CLIENT, SYN_SENT);
    assert_eq!((maps.get(&first).closed, maps.get(&second).closed), (1, 2));
}
