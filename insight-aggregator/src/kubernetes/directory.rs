//! The index, shared by those who fill it and those who read it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;

use super::Index;
use super::hearing::Hearing;
use super::watch::WatchStats;

/// A handle to the one index of this process. Empty where there is no Kubernetes.
#[derive(Clone, Debug)]
pub struct Directory {
    index: Arc<RwLock<Index>>,
    version: Arc<watch::Sender<u64>>,
    stats: Arc<WatchStats>,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            index: Arc::default(),
            version: Arc::new(watch::Sender::new(0)),
            stats: Arc::default(),
        }
    }
}

impl Directory {
    /// The index, which does not change meanwhile: read quickly, or on a thread that may block.
    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the index, and tells who waits for changes.
    pub fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut index);
        let version = index.version();
        drop(index);
        self.version.send_if_modified(|known| {
            let is_new = *known != version;
            *known = version;
            is_new
        });
        result
    }

    /// Counts up with each change of what the index says.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Whether names may be old or missing, and since when.
    pub fn hearing(&self) -> Hearing {
        Hearing::of(&self.read())
    }

    /// What the watches count.
    pub fn stats(&self) -> &WatchStats {
        &self.stats
    }
}
