//! Where everything stands in the store: one table, because each window of each table is a tree of its own in an embedded store.
//!
//! | partition | clustering | value |
//! |---|---|---|
//! | `c`, hour, shard | UID, what, resource version | a change: the whole new object, or that it is gone |
//! | `e`, hour, shard | UID, count | an Event of the API |
//! | `s`, time, writer, shard | part | objects of a snapshot |
//! | `m` | time, writer | the manifest of a snapshot |
//! | `r` | writer, start | a time in which a writer recorded all changes |
//!
//! So several aggregators that hear of the same change write the same row, and a change that is written twice is one. Windows are of six hours, as
//! the ledger's.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::form::{self, Entry};
use crate::kubernetes::Change;
use crate::kubernetes::object::{ApiKind, Occurrence};
use crate::model::UnixMs;
use crate::store::{Put, Table, WindowId};

/// The table.
pub(super) const NAMES: &str = "names";

/// It, for a store that makes tables beforehand.
pub const TABLE: Table = Table {
    name: NAMES,
    overwritten: false,
};
/// An hour, milliseconds.
pub(super) const HOUR: i64 = 3_600_000;
/// A window, milliseconds.
const WINDOW: i64 = 6 * HOUR;
/// Parts that objects are kept in, by UID: 5,000 nodes with 20 changes a second write 4,500 rows or 4 MB an hour into each.
pub(super) const SHARDS: u8 = 16;
/// UIDs of the API have 36 bytes; of a longer one its hash is the key.
const MAX_UID: usize = 128;
/// How far the time that an Event tells may be from now, milliseconds. Else it is kept with those of now.
const NEAR: i64 = 6 * HOUR;

/// The window of a time.
pub(super) fn window_of(at: UnixMs) -> WindowId {
    WindowId::try_from(at.div_euclid(WINDOW)).unwrap_or(0)
}

/// The times of a window: its first millisecond, and the first one after it.
pub(super) fn times_of(window: WindowId) -> (UnixMs, UnixMs) {
    let first = i64::try_from(window)
        .unwrap_or(i64::MAX)
        .saturating_mul(WINDOW);
    (first, first.saturating_add(WINDOW))
}

/// The hour of a time, since 1970.
pub(super) fn hour_of(at: UnixMs) -> i64 {
    at.div_euclid(HOUR)
}

/// The shard of a UID.
pub(super) fn shard_of(uid: &str) -> u8 {
    u8::try_from(xxh3_64(uid.as_bytes()) % u64::from(SHARDS)).unwrap_or(0)
}

/// The partition of an hour's changes.
pub(super) fn of_changes(hour: i64, shard: u8) -> Vec<u8> {
    of_hour(b'c', hour, shard)
}

/// The partition of an hour's Events.
pub(super) fn of_events(hour: i64, shard: u8) -> Vec<u8> {
    of_hour(b'e', hour, shard)
}

fn of_hour(tag: u8, hour: i64, shard: u8) -> Vec<u8> {
    [&[tag][..], &hour.to_be_bytes(), &[shard]].concat()
}

/// The partition of a snapshot's parts.
pub(super) fn of_parts(at: UnixMs, writer: u64, shard: u8) -> Vec<u8> {
    [
        &b"s"[..],
        &at.to_be_bytes(),
        &writer.to_be_bytes(),
        &[shard],
    ]
    .concat()
}

/// The partition of a window's manifests.
pub(super) fn of_manifests() -> Vec<u8> {
    b"m".to_vec()
}

/// The partition of the times in which changes were recorded.
pub(super) fn of_recorded() -> Vec<u8> {
    b"r".to_vec()
}

/// A time and a writer, in this order, or the other way round.
pub(super) fn pair(one: u64, other: u64) -> Vec<u8> {
    [one.to_be_bytes(), other.to_be_bytes()].concat()
}

/// A time as it is ordered in keys.
pub(super) fn ordered(at: UnixMs) -> u64 {
    u64::try_from(at).unwrap_or(0)
}

/// The clustering keys of all changes of an object start so.
pub(super) fn of_uid(uid: &str) -> Vec<u8> {
    let mut key = match uid.len() {
        0..=MAX_UID => uid.as_bytes().to_vec(),
        _ => xxh3_128(uid.as_bytes()).to_be_bytes().to_vec(),
    };
    key.push(0);
    key
}

/// The row of a change.
pub(super) fn row(entry: &Entry) -> Put {
    let (uid, what, number) = match &entry.change {
        Change::Put(of) => (&*of.object.meta.uid, b'p', of.version),
        // There is one end of each UID.
        Change::Gone { uid, .. } => (&**uid, b'q', 0),
        Change::Watch(kind, _) => (watched(kind), b'w', entry.writer),
        Change::Occurred(of) => return event(of, entry.at),
    };
    let mut clustering = of_uid(uid);
    clustering.push(what);
    clustering.extend_from_slice(&number.to_be_bytes());
    // What a watch is like is known to its writer alone. Without a version each change is a row.
    if what == b'w' || (what == b'p' && number == 0) {
        clustering.extend_from_slice(&entry.order.to_be_bytes());
    }
    let value = form::of_entry(entry).map(|message| form::encode(&message));
    Put {
        table: NAMES,
        window: window_of(entry.at),
        partition: of_changes(hour_of(entry.at), shard_of(uid)),
        clustering,
        value: value.unwrap_or_default(),
    }
}

/// A kind in the place of a UID.
fn watched(kind: &ApiKind) -> &str {
    match kind {
        ApiKind::Other(name) => name,
        kind => kind.name(),
    }
}

/// The row of an Event. It stands where its own time is, so that one that is read again after a restart is the same row.
fn event(of: &Occurrence, now: UnixMs) -> Put {
    let is_near = (now - NEAR..=now).contains(&of.last);
    let at = if is_near { of.last } else { now };
    let mut clustering = of_uid(&of.uid);
    clustering.extend_from_slice(&of.count.to_be_bytes());
    Put {
        table: NAMES,
        window: window_of(at),
        partition: of_events(hour_of(at), shard_of(&of.uid)),
        clustering,
        value: form::encode(&form::of_occurrence(of, at)),
    }
}
