//! What was open when counting began.

use super::*;

#[test]
fn an_old_socket_has_a_baseline_however_often_it_is_met() {
    let maps = FakeMaps::with_room(8);
    maps.baseline.set(true);
    let first = live_socket(&maps, &CLIENT).expect("it is open");
    let again = live_socket(&maps, &CLIENT).expect("a second descriptor");
    assert_eq!((first.baseline, again.baseline), (1, 1));
    let later = FakeSocket {
        sent: 150,
        ..CLIENT
    };
    on_state_change(&maps, &later, FIN_WAIT2, CLOSE);
    // 150 counted, 100 of them from before: the agent takes the baseline off.
    assert_eq!(maps.get(&CLIENT.key(ROLE_CLIENT)).bytes_sent, 150);
}

#[test]
fn a_new_socket_has_none() {
    let maps = FakeMaps::with_room(8);
    maps.baseline.set(true);
    // The address belonged to an old socket that closed unread.
    on_state_change(&maps, &CLIENT, FIN_WAIT2, CLOSE);
    assert_eq!(maps.get(&CLIENT.key(ROLE_CLIENT)).bytes_sent, 0);
    on_state_change(&maps, &CLIENT, SYN_SENT, ESTABLISHED);
    assert_eq!(
        live_socket(&maps, &CLIENT).map(|live| live.baseline),
        Some(0)
    );
    on_state_change(&maps, &CLIENT, FIN_WAIT2, CLOSE);
    assert_eq!(maps.get(&CLIENT.key(ROLE_CLIENT)).bytes_sent, 100);
    assert_eq!(maps.marks.borrow()[&CLIENT.address], MARK_CLOSED);
}

#[test]
fn a_close_and_the_readout_never_both_take_an_old_socket() {
    let maps = FakeMaps::with_room(8);
    maps.baseline.set(true);
    // The tracepoint runs before the state is stored: the readout still sees ESTABLISHED.
    on_state_change(&maps, &CLIENT, ESTABLISHED, CLOSE);
    let late = live_socket(&maps, &CLIENT).expect("the state is not stored yet");
    assert_eq!(late.baseline, 0);
    assert_eq!(maps.get(&CLIENT.key(ROLE_CLIENT)).bytes_sent, 0);
}
