//! One way to stop: SIGINT or SIGTERM cancels a token, and everything that runs watches the token.

use anyhow::Context;
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Starts to listen for SIGINT and SIGTERM. The first one cancels the token; a second one ends the process at once,
/// which loses nothing, because the kernel keeps counting in its own maps. Must be called within a tokio runtime.
pub fn on_signals() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            }
        };
        let first = next().await;
        tracing::info!(signal = first, "stopping; a second signal ends it at once");
        stop.cancel();
        let second = next().await;
        tracing::warn!(signal = second, "ended by a second signal");
        if let Err(error) = kill_process(getpid(), Signal::KILL) {
            tracing::error!(%error, "cannot end this process");
        }
    });
    Ok(token)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_signal_cancels_the_token() {
        let token = on_signals().unwrap();
        assert!(!token.is_cancelled());
        kill_process(getpid(), Signal::TERM).unwrap();
        tokio::time::timeout(Duration::from_secs(10), token.cancelled())
            .await
            .unwrap();
    }
}
