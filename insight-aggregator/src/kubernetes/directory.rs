//! The index, shared by those who fill it and those who read it.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;

use super::hearing::Hearing;
use super::watch::WatchStats;
use super::{Change, Index};

/// Who is told of each change, in order. The index is locked meanwhile.
pub trait Listener: Debug + Send + Sync {
    /// These have come since the last call.
    fn heard(&self, changes: Vec<Change>);
}

/// A handle to the one index of this process. Empty where there is no Kubernetes.
#[derive(Clone, Debug)]
pub struct Directory {
    index: Arc<RwLock<Index>>,
    version: Arc<watch::Sender<u64>>,
    stats: Arc<WatchStats>,
    listener: Arc<OnceLock<Arc<dyn Listener>>>,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            index: Arc::default(),
            version: Arc::new(watch::Sender::new(0)),
            stats: Arc::default(),
            listener: Arc::default(),
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
        let noted = index.noted();
        if let Some(listener) = self.listener.get().filter(|_| !noted.is_empty()) {
            listener.heard(noted);
        }
        drop(index);
        self.version.send_if_modified(|known| {
            let is_new = *known != version;
            *known = version;
            is_new
        });
        result
    }

    /// From now on `listener` is told of each change. There can be one; a second one is never told of any.
    pub fn tell(&self, listener: Arc<dyn Listener>) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if self.listener.set(listener).is_ok() {
            index.note_changes();
        }
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
