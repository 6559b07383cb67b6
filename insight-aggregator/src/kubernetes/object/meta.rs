//! What all objects have.

use super::{ApiKind, Labels, Text};
use crate::model::UnixMs;

/// Metadata of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its kind.
    pub kind: ApiKind,
    /// Empty for what has none.
    pub namespace: Text,
    /// Unique among the living of its kind and namespace.
    pub name: Text,
    /// Unique among all objects of all time.
    pub uid: Text,
    /// Its labels.
    pub labels: Labels,
    /// Its controller: the owner that has `controller: true`.
    pub controller: Option<Owner>,
    /// Its other owners.
    pub owners: Box<[Owner]>,
    /// When it was created; the API tells whole seconds.
    pub created: UnixMs,
    /// When it is to be gone: deletion was asked for.
    pub deleting: Option<UnixMs>,
}

/// The owner of an object, in the same namespace or without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Its kind.
    pub kind: ApiKind,
    /// Its name.
    pub name: Text,
    /// Its UID.
    pub uid: Text,
}
