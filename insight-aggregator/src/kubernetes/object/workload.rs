//! What makes pods, and what is told of objects.

use super::{Owner, Selector, Text};
use crate::model::UnixMs;

/// A Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob or ReplicationController.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Pods that are wanted; a CronJob has none.
    pub replicas: u32,
    /// Pods that are ready.
    pub ready: u32,
    /// Which pods are its own; only pairs, without expressions.
    pub selector: Selector,
    /// Images of its pods' containers, in the specification's order.
    pub images: Box<[Text]>,
    /// `metadata.generation`: changes with the specification.
    pub generation: i64,
}

/// An Event of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Its own UID: it is repeated with a higher count.
    pub uid: Text,
    /// Namespace of what it is about; empty for none.
    pub namespace: Text,
    /// What it is about.
    pub about: Owner,
    /// `Normal` or `Warning`.
    pub severity: Text,
    /// In one word, for example `BackOff`.
    pub reason: Text,
    /// For people.
    pub note: Box<str>,
    /// Times it was seen.
    pub count: u32,
    /// When it was seen first.
    pub first: UnixMs,
    /// When it was seen last.
    pub last: UnixMs,
}
