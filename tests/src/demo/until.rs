//! Waiting until told to stop.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, caught.
pub(super) struct Stop {
    runtime: Runtime,
    signals: [Signal; 2],
}

impl Stop {
    /// Catches them from now on.
    pub(super) fn on_signals() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _inside = runtime.enter();
            let catch = |kind| signal(kind).context("catch signals");
            [
                catch(SignalKind::interrupt())?,
                catch(SignalKind::terminate())?,
            ]
        };
        Ok(Self { runtime, signals })
    }

    /// Whether one comes within this time, or has come.
    pub(super) fn within(&mut self, time: Duration) -> bool {
        let [interrupt, terminate] = &mut self.signals;
        let waited = self.runtime.block_on(async {
            tokio::time::timeout(time, async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            })
            .await
        });
        waited.is_ok()
    }
}
