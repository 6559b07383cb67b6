//! All objects, and what follows from them.

mod addresses;
mod answers;
mod chains;
mod effects;
mod journal;
mod members;
mod occurrences;
mod pods;
mod state;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::object::{ApiKind, Object, Occurrence, Text, Texts};
use crate::model::{Protocol, UnixMs};

use addresses::Addresses;
use chains::Chains;
use members::Members;
use occurrences::Occurrences;
use pods::Pods;

pub use addresses::Holder;
pub use answers::{Person, ServiceAt};
pub use chains::WorkloadName;
pub use journal::Change;
pub use state::{Unrecorded, Watch};

/// How long what is gone is remembered, milliseconds: a day, as long as a node that fell silent is missed.
pub const REMEMBERED: i64 = 24 * 3_600_000;
/// How often the rest is forgotten, milliseconds.
const SWEEP: i64 = 300_000;

/// An object with what is known of its history here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The object.
    pub object: Object,
    /// When what is kept of it was seen to change last.
    pub changed: UnixMs,
    /// Its resource version then, or a hash of one that is no number.
    pub version: u64,
    /// Which listing of its kind it was in last.
    listing: u32,
}

/// Namespace and name.
pub type Key = (Text, Text);

/// All objects of the cluster, by kind, namespace and name.
#[derive(Debug, Default)]
pub struct Index {
    texts: Texts,
    /// Boxed, because a tree's places are not all taken.
    objects: BTreeMap<ApiKind, BTreeMap<Key, Box<Stored>>>,
    listings: HashMap<ApiKind, u32>,
    watches: BTreeMap<ApiKind, Watch>,
    occurrences: Occurrences,
    addresses: Addresses,
    chains: Chains,
    members: Members,
    pods: Pods,
    node_ports: HashMap<(u16, Protocol), Key>,
    /// Times of which changes may be missing.
    unrecorded: Vec<Unrecorded>,
    journal: Option<Vec<Change>>,
    /// Nothing is forgotten.
    remembers_all: bool,
    /// The addresses that a node's own devices have in the range of its pods, with its name.
    gateways: HashMap<IpAddr, Text>,
    swept: UnixMs,
    version: u64,
}

impl Index {
    /// Where texts of objects to be put are interned.
    pub fn texts(&mut self) -> &mut Texts {
        &mut self.texts
    }

    /// Takes an object as it was seen at `at`, in the place of an older one of that name.
    pub fn put(&mut self, object: Object, at: UnixMs) {
        self.put_version(object, 0, at);
    }

    /// The same of one with a resource version.
    pub fn put_version(&mut self, object: Object, version: u64, at: UnixMs) {
        let kind = object.meta.kind.clone();
        let listing = self.listings.get(&kind).copied().unwrap_or(0);
        let key = key_of(&object);
        let known = self.objects.entry(kind).or_default().get_mut(&key);
        let mut before = None;
        if let Some(known) = known {
            known.listing = listing;
            if known.object == object {
                return;
            }
            if known.object.meta.uid == object.meta.uid {
                before = Some(known.object.clone());
            } else {
                // The deletion of the older one was not heard of.
                self.remove(&object.meta.kind, &key, at);
            }
        }
        self.version += 1;
        self.take(&object, before.as_ref(), at);
        let stored = Stored {
            object,
            changed: at,
            version,
            listing,
        };
        self.note(|| Change::Put(Box::new(stored.clone())));
        let of_kind = self.objects.entry(stored.object.meta.kind.clone());
        of_kind.or_default().insert(key, Box::new(stored));
        self.sweep(at);
    }

    /// An object was deleted. One of the same name with another UID stays: it is newer.
    pub fn gone(&mut self, kind: &ApiKind, namespace: &str, name: &str, uid: &str, at: UnixMs) {
        let key = (Text::from(namespace), Text::from(name));
        let known = self.objects.get(kind).and_then(|known| known.get(&key));
        if known.is_some_and(|known| &*known.object.meta.uid == uid) {
            self.remove(kind, &key, at);
        }
    }

    fn remove(&mut self, kind: &ApiKind, key: &Key, at: UnixMs) {
        let of_kind = self.objects.get_mut(kind);
        if let Some(stored) = of_kind.and_then(|of_kind| of_kind.remove(key)) {
            self.version += 1;
            self.note(|| Change::gone(&stored.object.meta, at));
            self.let_go(stored.object, at);
        }
    }

    fn sweep(&mut self, now: UnixMs) {
        if now - self.swept < SWEEP || self.remembers_all {
            return;
        }
        self.swept = now;
        let before = now - REMEMBERED;
        self.addresses.forget(before);
        self.members.forget(before);
        self.pods.forget(before);
        let living = self.objects.values().flat_map(BTreeMap::values);
        let objects = living
            .map(|stored| &stored.object)
            .chain(self.pods.all_gone());
        // Its own, too: one without pods may get some.
        let owners = objects.flat_map(|object| {
            let above = object.meta.controller.as_ref();
            let above = above.map(|owner| Text::clone(&owner.uid));
            above.into_iter().chain([Text::clone(&object.meta.uid)])
        });
        self.chains.forget(owners);
        self.texts.sweep();
    }

    /// All objects of a kind are about to be put again.
    pub fn list_started(&mut self, kind: &ApiKind) {
        *self.listings.entry(kind.clone()).or_default() += 1;
    }

    /// All objects of a kind have been put since the listing started: the others are gone.
    pub fn list_ended(&mut self, kind: &ApiKind, at: UnixMs) {
        let listing = self.listings.get(kind).copied().unwrap_or(0);
        let gone: Vec<Key> = self
            .of_kind(kind)
            .filter(|stored| stored.listing != listing)
            .map(|stored| key_of(&stored.object))
            .collect();
        for key in gone {
            self.remove(kind, &key, at);
        }
    }

    /// Takes an Event of the API.
    pub fn occurred(&mut self, occurrence: Occurrence) {
        self.note(|| Change::Occurred(occurrence.clone()));
        self.occurrences.add(occurrence);
    }

    /// How the watch of a kind stands.
    pub fn set_watch(&mut self, kind: &ApiKind, watch: Watch) {
        if self.watches.get(kind) != Some(&watch) {
            self.version += 1;
            self.note(|| Change::Watch(kind.clone(), watch.clone()));
            self.watches.insert(kind.clone(), watch);
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
            .map(|stored| &**stored)
    }

    /// An object by its name; `namespace` is empty for what has none.
    pub fn get(&self, kind: &ApiKind, namespace: &str, name: &str) -> Option<&Stored> {
        let key = (Text::from(namespace), Text::from(name));
        self.objects.get(kind)?.get(&key).map(|stored| &**stored)
    }

    /// The newest Events of the API, oldest first.
    pub fn occurrences(&self) -> impl Iterator<Item = &Occurrence> {
        self.occurrences.iter()
    }
}

fn key_of(object: &Object) -> Key {
    let meta = &object.meta;
    (Text::clone(&meta.namespace), Text::clone(&meta.name))
}
