//! What is known becomes resources and relations.

mod build;
mod ends;
mod nodes;
mod owners;
mod pods;
mod related;
mod services;
mod traffic;

use std::borrow::Cow;

use insight_proto::v1;
use serde_json::Value;

use super::kinds::RelationKind;
use crate::kubernetes::object::{Container, Object};
use crate::model::UnixMs;

/// What a resource is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'s> {
    /// The cluster.
    Cluster,
    /// An object of the API.
    Object(&'s Object),
    /// A container of this pod.
    Container(&'s Object, &'s Container),
    /// An image, with the name that it was asked for by.
    Image(&'s str),
    /// An object that only others tell of: a node that pods are bound to, an owner of a kind that is not watched.
    Named,
    /// An end of connections that is no object of the API.
    End(&'s v1::Node),
}

/// Something in the cluster.
#[derive(Clone, Debug)]
pub(super) struct Resource<'s> {
    /// Its full id.
    pub(super) id: String,
    /// Its type.
    pub(super) kind: Cow<'s, str>,
    /// Empty for what has none.
    pub(super) namespace: &'s str,
    /// Its name, for people.
    pub(super) name: &'s str,
    /// When it was seen to change last.
    pub(super) timestamp: UnixMs,
    /// What it is made of.
    pub(super) subject: Subject<'s>,
}

/// How two resources are related.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    /// Place of its source among the resources.
    pub(super) source: usize,
    /// Place of its target.
    pub(super) target: usize,
    /// How.
    pub(super) kind: RelationKind,
    /// Since when.
    pub(super) timestamp: UnixMs,
    /// When it was seen to change last.
    pub(super) changed: UnixMs,
    /// More of it.
    pub(super) metadata: Option<Value>,
}

/// Resources and relations, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Graph<'s> {
    /// Each id is there once.
    pub(super) resources: Vec<Resource<'s>>,
    /// Their ends are among the resources.
    pub(super) relations: Vec<Relation>,
    /// When something was last seen to have left it.
    pub(super) shrunk: Option<UnixMs>,
}

pub(super) use build::build;
