//! What the watches count about themselves, for `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ingest::stats::Count;
use crate::kubernetes::object::ApiKind;

/// What the watch of one kind counts.
#[derive(Debug, Default)]
pub struct KindStats {
    /// Objects taken from lists and watches, and deletions.
    pub applied: Count,
    /// Complete lists.
    pub lists: Count,
    /// Lists and watches that failed.
    pub failures: Count,
}

/// What all watches count.
#[derive(Debug, Default)]
pub struct WatchStats {
    by_kind: Mutex<BTreeMap<ApiKind, Arc<KindStats>>>,
    /// Times that an owner was met whose kind is one too many to be watched.
    pub owners_left_out: Count,
}

impl WatchStats {
    /// The numbers of one kind.
    pub(super) fn of(&self, kind: &ApiKind) -> Arc<KindStats> {
        let mut by_kind = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(by_kind.entry(kind.clone()).or_default())
    }

    /// The numbers of every kind that is watched.
    pub fn all(&self) -> Vec<(ApiKind, Arc<KindStats>)> {
        let by_kind = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        let all = by_kind.iter();
        all.map(|(kind, stats)| (kind.clone(), Arc::clone(stats)))
            .collect()
    }
}
