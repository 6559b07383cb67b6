//! Keeps the index equal to what the API server has: one list, then a watch of each kind, for ever.
//!
//! [`source`] says which cluster, [`client`] how it is spoken to, [`kinds`] what is watched, [`follow`] has the loop of one kind, and [`owners`]
//! adds kinds that own what was seen. [`follow`] says why this is not `kube::runtime::watcher`.

mod back_off;
mod client;
mod failure;
mod follow;
mod kinds;
mod owners;
mod routes;
mod shared;
pub mod source;
mod stats;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use client::Connection;
pub use kinds::watched;
pub use owners::MAX_OWNER_KINDS;
pub use source::{Asked, Choice, Source};
pub use stats::{KindStats, WatchStats};

use self::shared::Shared;
use super::Directory;

/// The running watches.
#[derive(Debug)]
pub struct Watches {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Watches {
    /// Starts to fill the directory. Whether the API server is there is not waited for.
    pub fn start(connection: Connection, directory: Directory) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let secrets = connection.secrets;
        let shared = Arc::new(Shared::new(
            connection.client,
            directory,
            stop.clone(),
            tasks.clone(),
        ));
        kinds::follow_all(&shared, secrets);
        Self { stop, tasks }
    }

    /// Ends all watches. What they put stays.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
