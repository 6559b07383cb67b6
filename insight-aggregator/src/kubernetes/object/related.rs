//! Objects that lead to others by their specification.

use super::{ApiKind, Selector, Text};

/// An Ingress, PersistentVolumeClaim, PersistentVolume, HorizontalPodAutoscaler, PodDisruptionBudget or NetworkPolicy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The objects it names.
    pub targets: Box<[Target]>,
    /// The pods it selects. An empty one selects all of its namespace.
    pub selector: Selector,
}

/// An object that another one names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How the two are related.
    pub relation: Relation,
    /// Its kind.
    pub kind: ApiKind,
    /// Its namespace; empty for what has none.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
}

/// How an object leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relation {
    /// An Ingress to a Service.
    Routes,
    /// A PersistentVolumeClaim to its PersistentVolume.
    BindsTo,
    /// A HorizontalPodAutoscaler to a workload.
    Scales,
}
