//! What the watches of all kinds share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use kube::Client;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::kubernetes::object::ApiKind;
use crate::kubernetes::{Directory, Index, Watch};

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
            let known = index.watches().find(|(known, _)| *known == kind);
            let before = known.map(|(_, watch)| watch.clone());
            let (was_behind, was_awaited) = (is_behind(index), is_awaited(index));
            index.set_watch(kind, state.clone());
            News {
                before,
                is_lost: !was_behind && is_behind(index),
                is_heard: was_awaited && !is_awaited(index),
            }
        });
        log(kind, state, &news);
    }
}

/// What a change means to whoever reads the log.
struct News {
    before: Option<Watch>,
    /// It is the first kind that is not heard any more, and speaks for all.
    is_lost: bool,
    /// It was the last kind that was awaited.
    is_heard: bool,
}

/// Whether some kind was not heard. Kinds that are met later come and go on their own.
fn is_behind(index: &Index) -> bool {
    index.watches().any(|(kind, watch)| {
        !matches!(kind, ApiKind::Other(_)) && matches!(watch, Watch::Behind { .. })
    })
}

/// Whether some kind is not known as it is now.
fn is_awaited(index: &Index) -> bool {
    let mut watches = index.watches();
    let is_starting = watches.any(|(kind, watch)| {
        !matches!(kind, ApiKind::Other(_)) && matches!(watch, Watch::Starting)
    });
    is_starting || is_behind(index)
}

/// Logs what has changed: one line for the API server going and coming, one for each kind that it refuses or does not have.
fn log(kind: &ApiKind, state: &Watch, news: &News) {
    let kind = kind.name();
    let before = news.before.as_ref();
    let was_refused = matches!(before, Some(Watch::Forbidden { .. }));
    match state {
        Watch::Forbidden { why } if !was_refused => {
            tracing::warn!(
                kind,
                why,
                "Kubernetes refuses this kind, the others go on; `insight-aggregator rbac` prints the rights that are needed"
            );
        }
        Watch::Absent if before != Some(state) => {
            tracing::info!(kind, "Kubernetes does not have this kind");
        }
        Watch::Behind { why, .. } if news.is_lost => {
            tracing::warn!(
                kind,
                why,
                "Kubernetes is not heard; names are as they were, and it is tried again"
            );
        }
        Watch::Current if was_refused || before == Some(&Watch::Absent) => {
            tracing::info!(kind, "Kubernetes gives this kind now");
        }
        _ => {}
    }
    if news.is_heard {
        tracing::info!("Kubernetes is heard, names are current");
    }
}
