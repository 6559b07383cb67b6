//! Tells the ledger which addresses changed hands, so that what it adds up for Prometheus is kept apart.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::kubernetes::Directory;
use crate::ledger::Ledger;
use crate::model::{Eras, now_ms};

/// Changes of the index that come with one another are looked at once.
const GATHER: Duration = Duration::from_millis(100);

/// Follows the index until told to stop.
pub(super) async fn follow(directory: Directory, ledger: Arc<Ledger>, stop: CancellationToken) {
    let started = now_ms();
    let mut changes = directory.changes();
    let mut known = Eras::default();
    let work = async {
        while changes.changed().await.is_ok() {
            tokio::time::sleep(GATHER).await;
            changes.mark_unchanged();
            let moments = directory.read().changes_of_addresses(started, now_ms());
            let eras = Eras::new(moments);
            if eras != known {
                known = eras.clone();
                ledger.split_totals(eras);
            }
        }
        // The index is never filled; its handle here keeps it alive, so this is not reached.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}
