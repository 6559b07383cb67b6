//! All objects, and what follows from them.

mod occurrences;
mod state;

use std::collections::{BTreeMap, HashMap};

use super::object::{ApiKind, Object, Occurrence, Text, Texts};
use crate::model::UnixMs;

use occurrences::Occurrences;
pub use state::Watch;

/// An object with what is known of its history here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The object.
    pub object: Object,
    /// When what is kept of it was seen to change last.
    pub changed: UnixMs,
    /// Which listing of its kind it was in last.
    listing: u32,
}

/// Namespace and name.
type Key = (Text, Text);

/// All objects of the cluster, by kind, namespace and name.
#[derive(Debug, Default)]
pub struct Index {
    texts: Texts,
    objects: BTreeMap<ApiKind, BTreeMap<Key, Stored>>,
    listings: HashMap<ApiKind, u32>,
    watches: BTreeMap<ApiKind, Watch>,
    occurrences: Occurrences,
    version: u64,
}

impl Index {
    /// Where texts of objects to be put are interned.
    pub fn texts(&mut self) -> &mut Texts {
        &mut self.texts
    }

    /// Takes an object as it was seen at `at`, in the place of an older one of that name.
    pub fn put(&mut self, object: Object, at: UnixMs) {
        let listing = self.listings.get(&object.meta.kind).copied().unwrap_or(0);
        let meta = &object.meta;
        let key = (Text::clone(&meta.namespace), Text::clone(&meta.name));
        let of_kind = self.objects.entry(meta.kind.clone()).or_default();
        if let Some(known) = of_kind.get_mut(&key) {
            known.listing = listing;
            if known.object == object {
                return;
            }
        }
        self.version += 1;
        of_kind.insert(
            key,
            Stored {
                object,
                changed: at,
                listing,
            },
        );
    }

    /// An object was deleted. One of the same name with another UID stays: it is newer.
    pub fn gone(&mut self, kind: &ApiKind, namespace: &str, name: &str, uid: &str, _at: UnixMs) {
        let Some(of_kind) = self.objects.get_mut(kind) else {
            return;
        };
        let key = (Text::from(namespace), Text::from(name));
        if of_kind
            .get(&key)
            .is_some_and(|known| &*known.object.meta.uid == uid)
        {
            of_kind.remove(&key);
            self.version += 1;
        }
    }

    /// All objects of a kind are about to be put again.
    pub fn list_started(&mut self, kind: &ApiKind) {
        *self.listings.entry(kind.clone()).or_default() += 1;
    }

    /// All objects of a kind have been put since the listing started: the others are gone.
    pub fn list_ended(&mut self, kind: &ApiKind, at: UnixMs) {
        let listing = self.listings.get(kind).copied().unwrap_or(0);
        let gone: Vec<(Key, Text)> = self
            .of_kind(kind)
            .filter(|stored| stored.listing != listing)
            .map(|stored| {
                let meta = &stored.object.meta;
                let key = (Text::clone(&meta.namespace), Text::clone(&meta.name));
                (key, Text::clone(&meta.uid))
            })
            .collect();
        for ((namespace, name), uid) in gone {
            self.gone(kind, &namespace, &name, &uid, at);
        }
    }

    /// Takes an Event of the API.
    pub fn occurred(&mut self, occurrence: Occurrence) {
        self.occurrences.add(occurrence);
    }

    /// How the watch of a kind stands.
    pub fn set_watch(&mut self, kind: &ApiKind, watch: Watch) {
        if self.watches.get(kind) != Some(&watch) {
            self.watches.insert(kind.clone(), watch);
            self.version += 1;
        }
    }

    /// How each watch stands.
    pub fn watches(&self) -> impl Iterator<Item = (&ApiKind, &Watch)> {
        self.watches.iter()
    }

    /// Counts up with each change of what is said here.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The kinds that there are objects of.
    pub fn kinds(&self) -> impl Iterator<Item = &ApiKind> {
        self.objects.keys()
    }

    /// The objects of a kind, by namespace and name.
    pub fn of_kind(&self, kind: &ApiKind) -> impl Iterator<Item = &Stored> {
        self.objects
            .get(kind)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// An object by its name; `namespace` is empty for what has none.
    pub fn get(&self, kind: &ApiKind, namespace: &str, name: &str) -> Option<&Stored> {
        let key = (Text::from(namespace), Text::from(name));
        self.objects.get(kind)?.get(&key)
    }

    /// The newest Events of the API, oldest first.
    pub fn occurrences(&self) -> impl Iterator<Item = &Occurrence> {
        self.occurrences.iter()
    }
}
