//! The watch of one kind: a list in pages, then changes from there on, for ever.
//!
//! Not `kube::runtime::watcher`: it keeps to itself that a bookmark came and that a watch was taken up again, so a kind of which nothing changes
//! would look the same whether it is watched or not, and nobody could say since when names may be old.
//!
//! **Pages, not a streaming list.** A streaming list is one answer, which must be complete within the time limit of the watch that it is, and ours is short (below). Pages
//! work with every version; each takes a new turn, and no more than a page is held in the form of the API.
//!
//! **A dead connection is noticed within 30 s.** A watch is asked for 15 to 20 s, and then the API server ends it. So some byte arrives every 20 s, and
//! a connection without one for 25 s ([`super::client::READ_TIMEOUT`]) is dead, whether its packets are lost or its server hangs. The next one must be there within 5 s. To
//! take up a watch again is a cheap request, from the server's memory, over the same connection: one or two a second for all kinds.
//!
//! **A silent watch proves nothing.** The API server sends a bookmark before it ends a watch, if there is something newer. If there was none, it is asked for its version: one
//! whose store was restored from a backup takes up a watch from a version that it has yet to come to, and leaves out all changes until then.

use std::collections::HashSet;
use std::fmt::Debug;
use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt as _;

use super::back_off::{BackOff, chance};
use super::failure::Failure;
use super::shared::Shared;
use super::stats::KindStats;
use crate::kubernetes::object::ApiKind;
use crate::kubernetes::{Index, Watch};
use crate::model::{UnixMs, now_ms};

/// Objects of a page; client-go's number.
const PAGE: u32 = 500;
/// Objects that are applied at one time, so that readers of the index wait for a millisecond.
const BATCH: usize = 100;
/// The shortest time that a watch is asked for.
const SHORTEST_WATCH_SECONDS: u32 = 15;
/// How much longer it may be, by chance, so that the kinds do not all come back at once.
const MORE_SECONDS: f64 = 5.0;
/// A watch that ends sooner is not worth much: the API server stops, or something on the way to it cuts what it does not know.
const TOO_SOON: Duration = Duration::from_secs(1);
/// The longest wait for an API server that is not there.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// The longest wait for what is refused or absent: rights may be given, kinds installed. Not at once, because an API server that has just
/// started refuses what it will allow a second later.
const RARELY: Duration = Duration::from_secs(300);
/// Wrong questions in a row after which everything is listed anew: it may be the version that is wrong.
const LIST_AFTER: u32 = 4;

/// Puts an object into the index; the kind of its controller, if that is one that may not be watched yet.
pub(super) type Take<K> = Box<dyn Fn(&K, &mut Index, UnixMs) -> Option<ApiKind> + Send + Sync>;

/// The watch of one kind.
pub(super) struct Follow<K> {
    api: Api<K>,
    kind: ApiKind,
    take: Take<K>,
    shared: Arc<Shared>,
    stats: Arc<KindStats>,
    /// Up to where all is known; none: list.
    version: Option<String>,
    /// When the API server was heard last, with all that it had.
    heard: Option<UnixMs>,
    refused: u32,
}

impl<K> Follow<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    pub(super) fn new(shared: &Arc<Shared>, kind: ApiKind, api: Api<K>, take: Take<K>) -> Self {
        let stats = shared.directory.stats().of(&kind);
        Self {
            api,
            kind,
            take,
            shared: Arc::clone(shared),
            stats,
            version: None,
            heard: None,
            refused: 0,
        }
    }

    /// Lists and watches for ever.
    pub(super) async fn run(mut self) {
        let mut back_off = BackOff::default();
        self.shared.set(&self.kind, &Watch::Starting);
        loop {
            let went = match self.version.clone() {
                None => self.list().await,
                Some(version) => self.watch(&version).await,
            };
            match went {
                Ok(()) => {
                    back_off.reset();
                    self.refused = 0;
                }
                Err(failure) => {
                    self.stats.failures.one();
                    let longest = self.failed(failure);
                    sleep(back_off.wait(longest)).await;
                }
            }
        }
    }

    /// Notes a failure; the longest time to wait after it.
    fn failed(&mut self, failure: Failure) -> Duration {
        let since = self.heard;
        let behind = |why| Watch::Behind { since, why };
        self.refused += 1;
        let was_known = since.is_some();
        let (state, longest) = match failure {
            Failure::Gone => {
                self.version = None;
                let why = "the API server no longer has the changes since then; all is listed anew";
                (behind(why.into()), LONGEST_WAIT)
            }
            // What was known before is not wrong because nobody may ask any more, but it grows old.
            Failure::Forbidden(why) if was_known => (behind(format!("refused: {why}")), RARELY),
            Failure::Forbidden(why) => {
                // What a process before this one knew.
                self.forget();
                (Watch::Forbidden { why }, RARELY)
            }
            Failure::Absent => {
                self.version = None;
                self.forget();
                (Watch::Absent, RARELY)
            }
            Failure::Answered(why) => {
                if self.refused >= LIST_AFTER {
                    self.version = None;
                }
                (behind(why), LONGEST_WAIT)
            }
            Failure::Unheard(why) => (behind(why), LONGEST_WAIT),
        };
        self.shared.set(&self.kind, &state);
        longest
    }

    /// The kind is gone, and all objects of it.
    fn forget(&mut self) {
        self.heard = None;
        self.shared.directory.change(|index| {
            index.list_started(&self.kind);
            index.list_ended(&self.kind, now_ms());
        });
    }

    async fn list(&mut self) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        // It is never closed.
        let _turn = shared.lists.acquire().await;
        shared
            .directory
            .change(|index| index.list_started(&self.kind));
        // Of no given version, because that of a cache comes without pages.
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = self.api.list(&params).await?;
            let mut objects = page.items.into_iter().map(WatchEvent::Added);
            loop {
                let batch: Vec<_> = objects.by_ref().take(BATCH).collect();
                if batch.is_empty() {
                    break;
                }
                self.apply(&batch);
                // Readers and other watches have their turn.
                tokio::task::yield_now().await;
            }
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                let now = now_ms();
                shared
                    .directory
                    .change(|index| index.list_ended(&self.kind, now));
                self.stats.lists.one();
                self.heard = Some(now);
                self.version = page.metadata.resource_version;
                shared.set(&self.kind, &Watch::Current);
                let no_version = || Failure::Unheard("a list without a version".into());
                return self.version.is_some().then_some(()).ok_or_else(no_version);
            }
        }
    }

    async fn watch(&mut self, version: &str) -> Result<(), Failure> {
        let more = (chance() * MORE_SECONDS) as u32;
        let params = WatchParams::default().timeout(SHORTEST_WATCH_SECONDS + more);
        let began = Instant::now();
        let mut changes = pin!(self.api.watch(&params, version).await?);
        self.heard = Some(now_ms());
        self.shared.set(&self.kind, &Watch::Current);
        let mut is_silent = true;
        while let Some(first) = changes.next().await {
            is_silent = false;
            let mut batch = Vec::new();
            let mut next = Some(first);
            let mut failure = None;
            while let Some(change) = next.take() {
                match change {
                    Ok(WatchEvent::Error(status)) => failure = Some(Failure::from(&*status)),
                    Ok(change) => batch.push(change),
                    Err(error) => failure = Some(error.into()),
                }
                if failure.is_some() || batch.len() == BATCH {
                    break;
                }
                // What is there already, no more.
                next = tokio::select! {
                    biased;
                    change = changes.next() => change,
                    () = ready(()) => None,
                };
            }
            self.heard = Some(now_ms());
            self.apply(&batch);
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        if began.elapsed() < TOO_SOON {
            return Err(Failure::Unheard(
                "the watch ended as soon as it had begun".into(),
            ));
        }
        if is_silent {
            self.same_history(version).await?;
        }
        Ok(())
    }

    /// Asks what version the API server is at, after a watch without so much as a bookmark. Where its store was restored from a backup,
    /// it is at an older one than we are; it then takes up our watch without a word, and says nothing until it has come to where we are.
    async fn same_history(&mut self, version: &str) -> Result<(), Failure> {
        let one = self.api.list(&ListParams::default().limit(1)).await?;
        let current = one.metadata.resource_version.unwrap_or_default();
        tracing::debug!(kind = self.kind.name(), version, current, "a silent watch");
        if is_older(&current, version) {
            return Err(Failure::Gone);
        }
        self.heard = Some(now_ms());
        Ok(())
    }

    fn apply(&mut self, batch: &[WatchEvent<K>]) {
        let at = now_ms();
        let mut controllers = HashSet::new();
        let mut applied = 0;
        self.shared.directory.change(|index| {
            for change in batch {
                match change {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        controllers.extend((self.take)(object, index, at));
                        applied += 1;
                    }
                    WatchEvent::Deleted(object) => {
                        let namespace = object.namespace().unwrap_or_default();
                        let uid = object.uid().unwrap_or_default();
                        index.gone(&self.kind, &namespace, &object.name_any(), &uid, at);
                        applied += 1;
                    }
                    WatchEvent::Bookmark(_) | WatchEvent::Error(_) => {}
                }
            }
        });
        self.stats.applied.add(applied);
        let version = batch.last().and_then(|change| match change {
            WatchEvent::Added(object)
            | WatchEvent::Modified(object)
            | WatchEvent::Deleted(object) => object.resource_version(),
            WatchEvent::Bookmark(bookmark) => Some(bookmark.metadata.resource_version.clone()),
            WatchEvent::Error(_) => None,
        });
        // While it is listed there is no version to go on from.
        if self.version.is_some() && version.is_some() {
            self.version = version;
        }
        for kind in controllers {
            super::owners::met(&self.shared, kind);
        }
    }
}

/// Whether one version is older than another. They are numbers of one store.
fn is_older(one: &str, other: &str) -> bool {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one < other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_older("99", "100"));
        assert!(!is_older("100", "99") && !is_older("7", "7"));
        assert!(!is_older("", "7") && !is_older("x", "7"), "nobody knows");
    }
}
