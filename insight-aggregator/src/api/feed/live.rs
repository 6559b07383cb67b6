//! One live graph: made anew when the ledger changes, but not more often than it is worth.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::history::{History, Version};
use super::token::Token;
use crate::api::reader::{ReadError, graph_of};
use crate::graph::{self, Part, Query, Range};
use crate::history::Names;
use crate::ledger::Ledger;
use crate::model::now_ms;

/// How long the first change waits for others that come with it, such as the other end's report.
const GATHER: Duration = Duration::from_millis(20);
/// The shortest time from the end of one build to the next.
const PAUSE: Duration = Duration::from_millis(50);
/// Builds take at most one part in six of a core: the pause is at least so many times the build's own duration.
const PAUSE_FACTOR: u32 = 5;
/// Without a change the graph is made anew so often, because old edges leave the range.
const REFRESH: Duration = Duration::from_secs(10);
/// How long a feed without subscribers keeps its history for readers that come back.
const LINGER: Duration = Duration::from_secs(60);

/// What subscribers see: the newest version, why there is none, or nothing while the first is being made.
pub(super) type Newest = watch::Receiver<Option<Result<Arc<Version>, ReadError>>>;

/// One live graph.
pub(super) struct Feed {
    part: Part,
    epoch: u64,
    newest: watch::Sender<Option<Result<Arc<Version>, ReadError>>>,
    history: Mutex<History>,
    joined: tokio::sync::Notify,
}

impl Feed {
    pub(super) fn new(part: Part, epoch: u64) -> Self {
        Self {
            part,
            epoch,
            newest: watch::Sender::new(None),
            history: Mutex::default(),
            joined: tokio::sync::Notify::new(),
        }
    }

    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    pub(super) fn join(&self) -> Newest {
        let newest = self.newest.subscribe();
        self.joined.notify_one();
        newest
    }

    pub(super) fn has_subscribers(&self) -> bool {
        self.newest.receiver_count() > 0
    }

    pub(super) fn token(&self, version: &Version) -> String {
        let token = Token {
            epoch: self.epoch,
            version: version.number,
        };
        token.to_string()
    }

    /// The version that a reader has, if it is still kept.
    pub(super) fn resume(&self, token: &str) -> Option<Arc<Version>> {
        let token = Token::parse(token)?;
        if token.epoch != self.epoch {
            return None;
        }
        self.history().get(token.version).cloned()
    }

    /// Makes versions until the aggregator stops or nobody has read for [`LINGER`].
    pub(super) async fn run(&self, shared: &Shared) {
        let work = async {
            loop {
                self.follow(shared).await;
                // A reader that joins now must not be shown what is growing old.
                self.newest.send_replace(None);
                let joined = tokio::time::timeout(LINGER, self.joined.notified()).await;
                if joined.is_err() && shared.forget(self) {
                    return;
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = shared.stop.cancelled() => {}
        }
    }

    /// Makes versions while somebody reads.
    async fn follow(&self, shared: &Shared) {
        let mut changes = shared.ledger.changes();
        let mut names = shared.names.directory().changes();
        while self.has_subscribers() {
            changes.mark_unchanged();
            names.mark_unchanged();
            let Some(pause) = self.renew(shared).await else {
                return;
            };
            let earliest = Instant::now() + pause;
            tokio::select! {
                () = changed(&mut changes) => tokio::time::sleep(GATHER).await,
                () = changed(&mut names) => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(REFRESH) => {}
                () = self.newest.closed() => return,
            }
            tokio::time::sleep_until(earliest).await;
        }
    }

    /// Makes a version and publishes it; the pause it has earned, or nothing if this feed's tasks cannot go on.
    async fn renew(&self, shared: &Shared) -> Option<Duration> {
        let before = self.history().newest().cloned();
        let (ledger, all_names) = (shared.ledger.clone(), shared.names.clone());
        let part = self.part.clone();
        let turn = shared.builds.acquire().await.ok()?;
        let started = Instant::now();
        let made =
            tokio::task::spawn_blocking(move || make(&ledger, &all_names, &part, before)).await;
        drop(turn);
        let spent = started.elapsed();
        shared.stats.feed_builds.add(spent);
        match made.unwrap_or_else(|error| Err(ReadError::Failed(error.to_string()))) {
            Ok(version) => self.publish(version),
            Err(error) => {
                if let ReadError::Failed(why) = &error {
                    tracing::error!(part = ?self.part, error = why, "cannot renew a live graph");
                }
                self.newest.send_replace(Some(Err(error)));
            }
        }
        Some(PAUSE.max(spent.saturating_mul(PAUSE_FACTOR)))
    }

    fn publish(&self, version: Arc<Version>) {
        let known = self.history().newest().map(|newest| newest.number);
        if known != Some(version.number) {
            self.history().push(version.clone());
        }
        self.newest.send_if_modified(|newest| {
            let same = matches!(newest, Some(Ok(shown)) if shown.number == version.number);
            if !same {
                *newest = Some(Ok(version));
            }
            !same
        });
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the next commit, or change of what Kubernetes says.
async fn changed(changes: &mut watch::Receiver<u64>) {
    if changes.changed().await.is_err() {
        // Who makes them is gone, and there will be none.
        std::future::pending::<()>().await;
    }
}

/// The graph as it is now: the version before again if nothing changed. Blocks.
fn make(
    ledger: &Ledger,
    names: &Names,
    part: &Part,
    before: Option<Arc<Version>>,
) -> Result<Arc<Version>, ReadError> {
    let query = Query {
        range: Range::running(now_ms()),
        part: part.clone(),
    };
    let graph = graph_of(ledger, names, &query)?;
    let Some(before) = before else {
        return Ok(Arc::new(Version {
            number: 1,
            graph,
            delta: None,
        }));
    };
    let Some(delta) = graph::delta(&before.graph, &graph) else {
        return Ok(before);
    };
    Ok(Arc::new(Version {
        number: before.number + 1,
        graph,
        delta: Some(delta),
    }))
}
