//! What all objects have.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{millis, text};
use crate::kubernetes::object::{ApiKind, Body, Meta, Object, Owner, Texts};

/// Metadata of an object of this kind.
pub fn meta(kind: &ApiKind, meta: &ObjectMeta, texts: &mut Texts) -> Meta {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    let is_controller = |owner: &&OwnerReference| owner.controller == Some(true);
    let labels = meta.labels.iter().flatten();
    Meta {
        kind: kind.clone(),
        namespace: text(texts, meta.namespace.as_deref()),
        name: text(texts, meta.name.as_deref()),
        uid: text(texts, meta.uid.as_deref()),
        labels: texts.labels(labels.map(|(key, value)| (key.as_str(), value.as_str()))),
        controller: owners
            .iter()
            .find(is_controller)
            .map(|reference| owner(reference, texts)),
        owners: owners
            .iter()
            .filter(|reference| !is_controller(reference))
            .map(|reference| owner(reference, texts))
            .collect(),
        created: meta.creation_timestamp.as_ref().map_or(0, millis),
        deleting: meta.deletion_timestamp.as_ref().map(millis),
    }
}

/// An object of which only the metadata is kept.
pub fn plain(kind: &ApiKind, of: &ObjectMeta, texts: &mut Texts) -> Object {
    Object {
        meta: meta(kind, of, texts),
        body: Body::Plain,
    }
}

fn owner(reference: &OwnerReference, texts: &mut Texts) -> Owner {
    Owner {
        kind: kind(&reference.kind, &reference.api_version),
        name: texts.intern(&reference.name),
        uid: texts.intern(&reference.uid),
    }
}

/// A kind as references name it, with `group/version`; the core group is only a version.
pub(super) fn kind(name: &str, api_version: &str) -> ApiKind {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    ApiKind::of(name, group)
}
