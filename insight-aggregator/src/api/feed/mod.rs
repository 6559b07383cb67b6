//! Live graphs for subscribers.
//!
//! Everybody who asks for the same part of the graph shares one [`Feed`](live::Feed): it is made anew when the ledger
//! changes, however many subscribe. A subscriber has no queue: it holds the version that it was sent last, and gets what
//! turns that one into the newest when it is ready to read.

mod history;
mod live;
mod subscriber;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::live::Feed;
pub use self::subscriber::{SLOW, Subscriber};
use super::stats::ApiStats;
use crate::graph::Part;
use crate::history::Names;
use crate::ledger::Ledger;

/// Subscribers at the same time. Each costs a task and, while it lags, one version of the graph.
pub const MAX_SUBSCRIBERS: usize = 1_000;
/// Parts of the graph that are kept live at the same time. Each makes its graph up to 20 times a second.
pub const MAX_FEEDS: usize = 64;
/// Feeds that make their graph at the same time; the others wait, so that live readers leave the agents a core.
const BUILDS_AT_ONCE: usize = 2;

/// Why a subscription was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// [`MAX_SUBSCRIBERS`] are there.
    Subscribers,
    /// [`MAX_FEEDS`] parts are live.
    Feeds,
}

/// All live graphs.
#[derive(Clone)]
pub struct Feeds {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Arc<Ledger>,
    names: Names,
    stats: Arc<ApiStats>,
    stop: CancellationToken,
    tasks: TaskTracker,
    seats: Arc<Semaphore>,
    builds: Semaphore,
    feeds: Mutex<HashMap<Part, Arc<Feed>>>,
}

impl Feeds {
    /// No feed yet. Tasks end when `stop` is cancelled.
    pub fn new(
        ledger: Arc<Ledger>,
        names: impl Into<Names>,
        stats: Arc<ApiStats>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let shared = Shared {
            ledger,
            names: names.into(),
            stats,
            stop,
            tasks,
            seats: Arc::new(Semaphore::new(MAX_SUBSCRIBERS)),
            builds: Semaphore::new(BUILDS_AT_ONCE),
            feeds: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Subscribes to a part. `token` is empty or what the reader has.
    pub fn subscribe(&self, part: Part, token: &str) -> Result<Subscriber, Full> {
        let subscribed = self.seat().and_then(|seat| {
            let (feed, newest) = self.join(part)?;
            Ok(Subscriber::new(&self.shared, feed, newest, token, seat))
        });
        if subscribed.is_err() {
            self.shared.stats.refused_subscribers.one();
        }
        subscribed
    }

    /// Subscribers now.
    pub fn subscribers(&self) -> usize {
        MAX_SUBSCRIBERS - self.shared.seats.available_permits()
    }

    /// Parts that are kept now.
    pub fn feeds(&self) -> usize {
        self.shared.lock().len()
    }

    fn seat(&self) -> Result<OwnedSemaphorePermit, Full> {
        Arc::clone(&self.shared.seats)
            .try_acquire_owned()
            .map_err(|_| Full::Subscribers)
    }

    fn join(&self, part: Part) -> Result<(Arc<Feed>, live::Newest), Full> {
        let mut feeds = self.shared.lock();
        if let Some(feed) = feeds.get(&part) {
            return Ok((feed.clone(), feed.join()));
        }
        if feeds.len() >= MAX_FEEDS {
            return Err(Full::Feeds);
        }
        let feed = Arc::new(Feed::new(part.clone(), epoch()));
        let newest = feed.join();
        feeds.insert(part, feed.clone());
        let shared = self.shared.clone();
        let live = feed.clone();
        self.shared
            .tasks
            .spawn(async move { live.run(&shared).await });
        Ok((feed, newest))
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Part, Arc<Feed>>> {
        // Every change is one insert or remove.
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a feed unless somebody joined it; whether it is forgotten.
    fn forget(&self, feed: &Feed) -> bool {
        let mut feeds = self.lock();
        let unused = !feed.has_subscribers();
        if unused {
            feeds.remove(feed.part());
        }
        unused
    }
}

/// Tells the versions of one feed from those of any other, also of one before a restart.
fn epoch() -> u64 {
    static FEEDS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let nth = FEEDS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64);
    nanos.wrapping_add(nth)
}
