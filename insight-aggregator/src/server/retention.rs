//! Forgets what is older than the retention.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::history::History;
use crate::ledger::Ledger;
use crate::model::now_ms;

/// Often enough that a window leaves within a minute of its time.
const EVERY: Duration = Duration::from_secs(60);

/// Drops expired windows each minute until `stop`.
pub(super) async fn run(
    ledger: Arc<Ledger>,
    history: Option<Arc<History>>,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let (dropping, names) = (ledger.clone(), history.clone());
        let dropped = tokio::task::spawn_blocking(move || {
            let of_names = names.map_or(Ok(0), |names| names.drop_expired(now_ms()))?;
            anyhow::Ok(of_names + dropping.drop_expired(now_ms())?)
        })
        .await;
        match dropped {
            Ok(Ok(0)) => {}
            Ok(Ok(windows)) => tracing::info!(windows, "dropped what is older than the retention"),
            Ok(Err(error)) => tracing::error!(
                error = format!("{error:#}"),
                "cannot drop what is older than the retention; trying again in a minute"
            ),
            Err(error) => {
                tracing::error!(%error, "dropping what is older than the retention broke off");
            }
        }
    }
}
