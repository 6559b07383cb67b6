//! Which entry of the flow map something is counted in.
//!
//! An open connection's bytes are read from its socket and are seen to belong to an entry, reading after reading; when it closes, they must be
//! added to that same entry, or they are counted twice. So what decides is which entry there is, and only where there is none, which one
//! would be made now: an entry with open connections is never removed, and one is made before the first reading that needs it.

use super::{Found, Maps, Socket};
use crate::abi::{FlowKey, ROLE_CLIENT, ROLE_SERVER, ROLE_UNKNOWN_LOCAL};

/// The entry of a connection that opens with this role; made if need be. `None` out of scope, or without any room.
#[inline(always)]
pub(super) fn opening<M: Maps, S: Socket>(maps: &M, socket: &S, role: u8) -> Option<M::Entry> {
    let mut key = socket.key(role);
    if let Some(entry) = entry(maps, &mut key) {
        return Some(entry);
    }
    if widen_if_outside(maps, &mut key)
        && let Some(entry) = entry(maps, &mut key)
    {
        return Some(entry);
    }
    make_or_catch(maps, socket, &mut key)
}

/// The entry of a connection that closes.
#[inline(always)]
pub(super) fn closing<M: Maps, S: Socket>(maps: &M, socket: &S) -> Option<M::Entry> {
    let mut key = FlowKey::default();
    if let Some(entry) = existing(maps, socket, &mut key) {
        return Some(entry);
    }
    make_or_catch(maps, socket, &mut key)
}

/// The entry of an open connection, made if need be: its key. `None` where there is no room: then it is not read, and its bytes are
/// counted when it closes.
#[inline(always)]
pub(super) fn reading<M: Maps, S: Socket>(maps: &M, socket: &S, key: &mut FlowKey) -> bool {
    existing(maps, socket, key).is_some() || make(maps, key, false).is_some()
}

/// The entry of a flow of UDP, which is in scope; made if need be.
#[inline(always)]
pub(super) fn talking<M: Maps>(maps: &M, key: &mut FlowKey) -> Option<M::Entry> {
    match known(maps, key) {
        Some(entry) => Some(entry),
        None => make_or_catch_in_scope(maps, key),
    }
}

/// The same, if there is one.
#[inline(always)]
pub(super) fn known<M: Maps>(maps: &M, key: &mut FlowKey) -> Option<M::Entry> {
    key.generation = 0;
    if let Some(entry) = entry(maps, key) {
        return Some(entry);
    }
    if widen_if_outside(maps, key) {
        return entry(maps, key);
    }
    None
}

/// The entry of a connection that was opened, if there is one. `key` becomes its key, or that of the one to make.
#[inline(always)]
fn existing<M: Maps, S: Socket>(maps: &M, socket: &S, key: &mut FlowKey) -> Option<M::Entry> {
    *key = socket.key(ROLE_CLIENT);
    let client_port = key.port;
    let is_accepted = socket.backlog() > 0;
    // No backlog: a client, or a server that called listen(fd, 0). What was opened decides.
    if !is_accepted && let Some(entry) = entry(maps, key) {
        return Some(entry);
    }
    key.role = ROLE_SERVER;
    key.port = socket.local_port();
    if let Some(entry) = entry(maps, key) {
        return Some(entry);
    }
    if maps.widens() {
        let remote = key.remote;
        widen(maps, key);
        if let Some(entry) = entry(maps, key) {
            return Some(entry);
        }
        if !is_accepted || !maps.is_outside(&remote) {
            key.remote = remote;
            key.prefix = 0;
        }
    }
    if !is_accepted {
        key.role = ROLE_CLIENT;
        key.port = client_port;
    }
    None
}

/// The flow's entry that counts, of the two that there may be.
#[inline(always)]
fn entry<M: Maps>(maps: &M, key: &mut FlowKey) -> Option<M::Entry> {
    match maps.find(key) {
        Found::Live(entry) => return Some(entry),
        Found::Missing if !maps.has_spares() => return None,
        Found::Missing | Found::Retired => {}
    }
    key.generation = 1;
    if let Found::Live(entry) = maps.find(key) {
        return Some(entry);
    }
    key.generation = 0;
    None
}

/// A server's clients outside of the cluster are as many as the Internet has addresses.
#[inline(always)]
fn widen_if_outside<M: Maps>(maps: &M, key: &mut FlowKey) -> bool {
    let is_server = key.role == ROLE_SERVER || key.role == ROLE_UNKNOWN_LOCAL;
    let widens = is_server && maps.widens() && maps.is_outside(&key.remote);
    if widens {
        widen(maps, key);
    }
    widens
}

#[inline(always)]
fn widen<M: Maps>(maps: &M, key: &mut FlowKey) {
    let [first, second, third, _] = key.remote;
    let is_v4 = first == 0 && second == 0 && third == 0xffff_u32.to_be();
    *key = key.widened(maps.prefix(is_v4));
}

/// Scope is checked here only: a flow that is in the map is in scope.
#[inline(always)]
fn make_or_catch<M: Maps, S: Socket>(maps: &M, socket: &S, key: &mut FlowKey) -> Option<M::Entry> {
    if !socket.in_scope() {
        return None;
    }
    make_or_catch_in_scope(maps, key)
}

#[inline(always)]
fn make_or_catch_in_scope<M: Maps>(maps: &M, key: &mut FlowKey) -> Option<M::Entry> {
    if let Some(entry) = make(maps, key, true) {
        return Some(entry);
    }
    maps.count_overflow();
    *key = FlowKey::catch_all(key.role, key.protocol);
    match maps.find(key) {
        Found::Live(entry) => Some(entry),
        _ => None,
    }
}

/// Makes the flow's entry. Whoever makes it, everybody adds to it.
#[inline(always)]
fn make<M: Maps>(maps: &M, key: &mut FlowKey, announce: bool) -> Option<M::Entry> {
    let mut is_new = maps.insert(key);
    let mut found = maps.find(key);
    if matches!(found, Found::Retired) {
        maps.count_spare();
        key.generation = 1;
        is_new = maps.insert(key);
        found = maps.find(key);
    }
    let Found::Live(entry) = found else {
        return None;
    };
    if is_new && announce {
        maps.announce(key);
    }
    Some(entry)
}
