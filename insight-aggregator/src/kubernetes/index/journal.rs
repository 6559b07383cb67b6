//! What changes, for whoever writes it down; and what only an index has that was made of such notes.

use std::collections::HashSet;

use super::{Index, Stored, Unrecorded, Watch};
use crate::kubernetes::object::{ApiKind, Meta, Object, Occurrence, Owner, Text};
use crate::model::UnixMs;

/// A change of what the index says. Those of one index applied to another one, with their times, make it say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An object came, or is another than before.
    Put(Box<Stored>),
    /// An object is gone.
    Gone {
        /// Its kind.
        kind: ApiKind,
        /// Its namespace.
        namespace: Text,
        /// Its name.
        name: Text,
        /// Its UID.
        uid: Text,
        /// When that was known.
        at: UnixMs,
    },
    /// The watch of a kind stands otherwise than before.
    Watch(ApiKind, Watch),
    /// An Event of the API came.
    Occurred(Occurrence),
}

impl Change {
    /// An object as it is since `changed`.
    pub fn put(object: Object, version: u64, changed: UnixMs) -> Self {
        Self::Put(Box::new(Stored {
            object,
            changed,
            version,
            listing: 0,
        }))
    }

    pub(super) fn gone(meta: &Meta, at: UnixMs) -> Self {
        Self::Gone {
            kind: meta.kind.clone(),
            namespace: Text::clone(&meta.namespace),
            name: Text::clone(&meta.name),
            uid: Text::clone(&meta.uid),
            at,
        }
    }
}

impl Index {
    /// From now on changes are noted, to be taken by [`Self::noted`].
    pub fn note_changes(&mut self) {
        self.journal.get_or_insert_default();
    }

    /// What has changed since this was called last.
    pub fn noted(&mut self) -> Vec<Change> {
        self.journal
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    pub(super) fn note(&mut self, change: impl FnOnce() -> Change) {
        if let Some(journal) = &mut self.journal {
            journal.push(change());
        }
    }

    /// Does what a change did to the index that it was noted of.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Put(stored) => self.put_version(stored.object, stored.version, stored.changed),
            Change::Gone {
                kind,
                namespace,
                name,
                uid,
                at,
            } => self.gone(&kind, &namespace, &name, &uid, at),
            Change::Watch(kind, watch) => self.set_watch(&kind, watch),
            Change::Occurred(occurrence) => self.occurred(occurrence),
        }
    }

    /// An index that forgets nothing: it is made for one time range, not to live.
    pub fn of_the_past() -> Self {
        Self {
            remembers_all: true,
            ..Self::default()
        }
    }

    /// Begins with what was known before this process was there, until it is heard again. Nothing is noted of it. Kinds that are only watched where they are met
    /// are left out: nobody might ever say that they are gone.
    pub fn begin_with(&mut self, past: Self) {
        let journal = self.journal.take();
        let version = self.version + past.version + 1;
        *self = past;
        self.remembers_all = false;
        self.watches.clear();
        self.unrecorded.clear();
        self.objects
            .retain(|kind, _| !matches!(kind, ApiKind::Other(_)));
        self.journal = journal;
        self.version = version;
    }

    /// Notes a time of which changes may be missing.
    pub fn note_unrecorded(&mut self, time: Unrecorded) {
        self.unrecorded.push(time);
    }

    /// Times of which changes may be missing.
    pub fn unrecorded(&self) -> &[Unrecorded] {
        &self.unrecorded
    }

    /// All objects that there are.
    pub fn objects(&self) -> impl Iterator<Item = &Stored> {
        let all = self.objects.values();
        all.flat_map(|of_kind| of_kind.values().map(|stored| &**stored))
    }

    /// Controllers that are gone, of which others may still tell, with their own controllers.
    pub fn controllers_gone(&self) -> impl Iterator<Item = (&Text, Option<&Owner>)> {
        let living: HashSet<&Text> = self
            .objects()
            .map(|stored| &stored.object.meta.uid)
            .collect();
        let all = self.chains.all();
        all.filter(move |(uid, _)| !living.contains(uid))
    }

    /// Takes a controller that is gone.
    pub fn controller_gone(&mut self, uid: Text, controller: Option<Owner>) {
        self.chains.note_gone(uid, controller);
    }
}
