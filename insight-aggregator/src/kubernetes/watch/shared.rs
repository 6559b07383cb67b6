//! What the watches of all kinds share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use kube::Client;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::kubernetes::object::ApiKind;
use crate::kubernetes::{Directory, Watch};

/// Lists that are read at one time: a page of 500 pods takes some 20 MB while it is decoded, and the API server is asked for few things at
/// once by one who has only just come.
const LISTS: usize = 4;

/// What the watches share.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) directory: Directory,
    /// Turns for lists.
    pub(super) lists: Semaphore,
    /// Owner kinds that are watched.
    pub(super) owners: Mutex<BTreeSet<ApiKind>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Shared {
    pub(super) fn new(
        client: Client,
        directory: Directory,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            client,
            directory,
            lists: Semaphore::new(LISTS),
            owners: Mutex::default(),
            stop,
            tasks,
        }
    }

    /// Runs a watch until all are stopped.
    pub(super) fn spawn(self: &Arc<Self>, watch: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            // None: it was stopped.
            let _ = stop.run_until_cancelled(watch).await;
        });
    }

    /// Notes how the watch of a kind stands, and logs it where it is news.
    pub(super) fn set(&self, kind: &ApiKind, state: &Watch) {
        let news = self.directory.change(|index| {
            let behind = |watch: &Watch| matches!(watch, Watch::Starting | Watch::Behind { .. });
            let before = index.watches().find(|(known, _)| *known == kind);
            let before = before.map(|(_, watch)| watch.clone());
            let unheard = |watches: usize| watches > 0;
            let was_behind = index.watches().filter(|(_, watch)| behind(watch)).count();
            index.set_watch(kind, state.clone());
            let is_behind = index.watches().filter(|(_, watch)| behind(watch)).count();
            (before, unheard(was_behind), unheard(is_behind))
        });
        log(kind, state, news);
    }
}

/// Logs what has changed: one line for the API server going and coming, one for each kind that it refuses or does not have.
fn log(kind: &ApiKind, state: &Watch, (before, was, is): (Option<Watch>, bool, bool)) {
    let kind = kind.name();
    match state {
        Watch::Forbidden { why } if !matches!(before, Some(Watch::Forbidden { .. })) => {
            tracing::warn!(
                kind,
                why,
                "Kubernetes refuses this kind, the others go on; `insight-aggregator rbac` prints the rights that are needed"
            );
        }
        Watch::Absent if before.as_ref() != Some(state) => {
            tracing::info!(kind, "Kubernetes does not have this kind");
        }
        Watch::Behind { why, .. } if !was => {
            tracing::warn!(
                kind,
                why,
                "Kubernetes is not heard; names are as they were, and it is tried again"
            );
        }
        Watch::Current if matches!(before, Some(Watch::Forbidden { .. } | Watch::Absent)) => {
            tracing::info!(kind, "Kubernetes gives this kind now");
        }
        _ => {}
    }
    if was && !is {
        tracing::info!("Kubernetes is heard, names are current");
    }
}
