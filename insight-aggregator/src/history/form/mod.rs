//! How what is kept looks in the store: the messages of `insight.storage.v1`.
//!
//! Every value starts with a byte that says how the rest is to be read. Snapshots are compressed; changes are not, they are small, and a store
//! compresses rows that are near one another together.

mod decode;
mod encode;
mod kind;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result, bail};
use insight_proto::storage as stored;
use prost::Message;

use crate::kubernetes::object::{ApiKind, Occurrence, Owner, Texts};
use crate::kubernetes::{Change, Stored, Watch};
use crate::model::UnixMs;

/// A message follows.
const PLAIN: u8 = 1;
/// A message follows that zstd has compressed.
const ZSTD: u8 = 2;
/// zstd's own default: half the size of level 1 and still 100 MB/s.
const LEVEL: i32 = 3;
/// The largest message that is read: a part has less than a tenth.
const MAX_MESSAGE: usize = 16 << 20;

/// A change, by whom and when it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// When it was known.
    pub(super) at: UnixMs,
    /// Counts up with the changes of one writer.
    pub(super) order: u64,
    /// Who wrote it.
    pub(super) writer: u64,
    /// What changed.
    pub(super) change: Change,
}

/// The value of a message.
pub(super) fn encode(message: &impl Message) -> Vec<u8> {
    let mut value = Vec::with_capacity(1 + message.encoded_len());
    value.push(PLAIN);
    message.encode_raw(&mut value);
    value
}

/// The value of a message, compressed.
pub(super) fn compress(message: &impl Message) -> Result<Vec<u8>> {
    let compressed = zstd::bulk::compress(&message.encode_to_vec(), LEVEL);
    let mut value = compressed.context("compressing names")?;
    value.insert(0, ZSTD);
    Ok(value)
}

/// The message of a value.
pub(super) fn decode<M: Message + Default>(value: &[u8]) -> Result<M> {
    let (form, content) = value.split_first().context("the value is empty")?;
    let message = match *form {
        PLAIN => M::decode(content),
        ZSTD => {
            let plain = zstd::bulk::decompress(content, MAX_MESSAGE);
            M::decode(&*plain.context("the value cannot be decompressed")?)
        }
        other => bail!(
            "the value has form {other}, and this program reads {PLAIN} and {ZSTD}; start the version that wrote it"
        ),
    };
    message.context("the value is not what its form says")
}

/// The message of an object.
pub(super) fn of_stored(of: &Stored) -> stored::Stored {
    stored::Stored {
        object: Some(encode::object(&of.object)),
        changed: of.changed,
        version: of.version,
    }
}

/// The change that puts an object.
pub(super) fn to_put(of: &stored::Stored, texts: &mut Texts) -> Result<Change> {
    let object = of.object.as_ref().context("no object is in it")?;
    let object = decode::object(object, texts)?;
    Ok(Change::put(object, of.version, of.changed))
}

/// The message of a change; none: Events are no changes of what names come from.
pub(super) fn of_entry(entry: &Entry) -> Option<stored::Change> {
    use stored::change::What;
    let what = match &entry.change {
        Change::Put(of) => What::Put(of_stored(of)),
        Change::Gone {
            kind,
            namespace,
            name,
            uid,
            at: _,
        } => {
            let (kind, other_kind) = kind::encode(kind);
            What::Gone(stored::Gone {
                kind,
                other_kind,
                namespace: namespace.to_string(),
                name: name.to_string(),
                uid: uid.to_string(),
            })
        }
        Change::Watch(kind, watch) => What::Watch(of_watch(kind, watch)),
        Change::Occurred(_) => return None,
    };
    Some(stored::Change {
        at: entry.at,
        order: entry.order,
        writer: entry.writer,
        what: Some(what),
    })
}

/// The change of a message.
pub(super) fn to_entry(of: &stored::Change, texts: &mut Texts) -> Result<Entry> {
    use stored::change::What;
    let change = match of.what.as_ref().context("no change is in it")? {
        What::Put(of) => to_put(of, texts)?,
        What::Gone(gone) => Change::Gone {
            kind: kind::decode(gone.kind, &gone.other_kind, texts),
            namespace: texts.intern(&gone.namespace),
            name: texts.intern(&gone.name),
            uid: texts.intern(&gone.uid),
            at: of.at,
        },
        What::Watch(of) => to_watch(of, texts),
    };
    Ok(Entry {
        at: of.at,
        order: of.order,
        writer: of.writer,
        change,
    })
}

/// The message of how a watch stands.
pub(super) fn of_watch(kind: &ApiKind, watch: &Watch) -> stored::Watch {
    use stored::watch::State;
    let (kind, other_kind) = kind::encode(kind);
    let (state, since, why) = match watch {
        Watch::Starting => (State::Starting, None, ""),
        Watch::Current => (State::Current, None, ""),
        Watch::Behind { since, why } => (State::Behind, *since, why.as_str()),
        Watch::Forbidden { why } => (State::Forbidden, None, why.as_str()),
        Watch::Absent => (State::Absent, None, ""),
    };
    stored::Watch {
        kind,
        other_kind,
        state: state.into(),
        since,
        why: why.to_owned(),
    }
}

/// The change to a watch.
pub(super) fn to_watch(of: &stored::Watch, texts: &mut Texts) -> Change {
    use stored::watch::State;
    let why = of.why.clone();
    let watch = match of.state() {
        State::Current => Watch::Current,
        State::Behind => Watch::Behind {
            since: of.since,
            why,
        },
        State::Forbidden => Watch::Forbidden { why },
        State::Absent => Watch::Absent,
        State::Starting | State::Unspecified => Watch::Starting,
    };
    Change::Watch(kind::decode(of.kind, &of.other_kind, texts), watch)
}

/// The message of a controller that is gone.
pub(super) fn of_controller(uid: &str, controller: Option<&Owner>) -> stored::Controller {
    stored::Controller {
        uid: uid.to_owned(),
        controller: controller.map(encode::owner),
    }
}

/// The controller of a controller that is gone.
pub(super) fn to_controller(of: &stored::Controller, texts: &mut Texts) -> Option<Owner> {
    of.controller
        .as_ref()
        .map(|owner| decode::owner(owner, texts))
}

/// The message of an Event of the API that was known at `at`.
pub(super) fn of_occurrence(of: &Occurrence, at: UnixMs) -> stored::Event {
    stored::Event {
        at,
        uid: of.uid.to_string(),
        namespace: of.namespace.to_string(),
        about: Some(encode::owner(&of.about)),
        severity: of.severity.to_string(),
        reason: of.reason.to_string(),
        note: of.note.to_string(),
        count: of.count,
        first: of.first,
        last: of.last,
    }
}
