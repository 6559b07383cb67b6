//! Which entry a conversation has: full maps, clients outside of the cluster, entries that are removed.

use super::*;

#[test]
fn without_room_datagrams_go_to_the_catch_all_entry() {
    let maps = FakeMaps {
        room: Some(2),
        ..FakeMaps::new()
    };
    let catch_all = FlowKey::catch_all(ROLE_CLIENT, PROTOCOL_UDP);
    assert!(maps.insert(&catch_all) && maps.insert(&FlowKey::default()));
    for _ in 0..2 {
        sent(&maps, &bound(40_000), (OTHER, 53));
    }
    // Of an unknown role, too.
    maps.is_older(40_001);
    sent(&maps, &bound(40_001), (OTHER, 53));
    let totals = maps.flows.borrow()[&catch_all];
    assert_eq!((totals.opened, totals.bytes_sent), (2, 30));
    assert!(maps.overflowed.get() >= 2 && maps.announced.borrow().is_empty());
}

#[test]
fn clients_outside_of_the_cluster_are_counted_by_prefix() {
    let maps = FakeMaps::new();
    maps.widens.set(true);
    for host in 1..=100 {
        received(&maps, &bound(53), (v4(host), 40_000));
        sent(&maps, &bound(53), (v4(host), 40_000));
    }
    {
        let flows = maps.flows.borrow();
        let (key, totals) = flows.iter().next().unwrap();
        assert_eq!((flows.len(), key.remote, key.prefix), (1, v4(0), 120));
        assert_eq!((totals.opened, totals.messages_sent), (100, 100));
    }
    // Servers are not.
    sent(&maps, &bound(40_000), (OTHER, 53));
    assert!(
        maps.flows
            .borrow()
            .keys()
            .any(|key| key.remote == OTHER && key.prefix == 0)
    );
}

#[test]
fn a_retired_flow_has_a_second_entry() {
    let maps = FakeMaps::new();
    sent(&maps, &bound(40_000), (OTHER, 53));
    let key = *maps.flows.borrow().keys().next().unwrap();
    maps.retired.borrow_mut().insert(key);
    received(&maps, &bound(40_000), (OTHER, 53));
    sent(&maps, &bound(40_001), (OTHER, 53));
    let flows = maps.flows.borrow();
    let second = flows[&FlowKey {
        generation: 1,
        ..key
    }];
    assert_eq!((flows[&key].opened, flows[&key].messages_received), (1, 0));
    assert_eq!((second.opened, second.messages_received), (1, 1));
}

#[test]
fn a_flow_that_was_removed_comes_back_as_it_was() {
    let maps = FakeMaps::new();
    received(&maps, &bound(53), (OTHER, 40_000));
    maps.flows.borrow_mut().clear();
    sent(&maps, &bound(53), (OTHER, 40_000));
    let (role, port, totals) = maps.only();
    assert_eq!((role, port), (ROLE_SERVER, 53));
    assert_eq!((totals.opened, totals.messages_sent), (0, 1));
}
