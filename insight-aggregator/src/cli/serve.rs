//! `serve`: runs the aggregator until it is told to stop.

use std::env;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use insight_proto::v1;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::ServeArgs;
use super::config::Config;
use super::failure::Failure;
use super::{log, schema};
use crate::history::{History, Names, Recorder};
use crate::kubernetes::Directory;
use crate::kubernetes::watch::{self, Choice, Connection, Source, Watches};
use crate::ledger::Ledger;
use crate::model::now_ms;
use crate::server::{PortTaken, Server, TABLES};
use crate::store;

/// How long threads that block may take after everything has stopped: a commit that hangs on a dead disk.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// How long the last changes of names may take to be kept, of the ten seconds that an end may take in all.
const RECORD_WITHIN: Duration = Duration::from_secs(1);

pub(super) fn run(args: ServeArgs) -> Result<(), Failure> {
    let config = Config::resolve(args)?;
    log::start(&config.log, config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::failed(
                format!("cannot start: {error}"),
                "see `ulimit -u` and memory limits",
            )
        })?;
    let ended = runtime.block_on(serve(config));
    runtime.shutdown_timeout(LEAVE_WITHIN);
    ended
}

async fn serve(config: Config) -> Result<(), Failure> {
    // Caught from here on: a signal during a long start is not lost.
    let mut signals = Signals::catch()?;
    let (ledger, history) = tokio::task::spawn_blocking({
        let (url, access, retention) = (
            config.store.clone(),
            config.access.clone(),
            config.retention,
        );
        let names_retention = config.names_retention;
        move || {
            let longest = retention.max(names_retention);
            let store = store::open(&url, &access, &TABLES, longest)?;
            let history = History::new(Arc::clone(&store), names_retention);
            Ledger::open(store, retention, now_ms())
                .map(|ledger| (Arc::new(ledger), Arc::new(history)))
                .with_context(|| format!("reading what the store {url} has"))
        }
    })
    .await
    .unwrap_or_else(|error| Err(error.into()))
    .map_err(|error| store_failure(&config.store, &error))?;
    let cluster = Cluster::choose(&config).await?;
    let directory = Directory::default();
    let recorder = match cluster.connection {
        Some(_) => Some(remember(&history, &directory).await?),
        None => None,
    };
    let server = Server::start(
        ledger,
        config.grpc,
        config.http,
        config.cluster_insight,
        asked(&config),
        Names::new(directory.clone(), history),
    )
    .await
    .map_err(|error| start_failure(&error))?;
    cluster.log();
    let watches = cluster
        .connection
        .map(|connection| Watches::start(connection, directory));
    tracing::info!(
        grpc = %server.grpc,
        http = %server.http,
        cluster_insight = server.cluster_insight.map(tracing::field::display),
        store = config.store,
        retention_seconds = config.retention.as_secs(),
        "ready"
    );
    let signal = signals.next().await;
    tracing::info!(signal, "stopping");
    let stopped = async {
        server.stop().await;
        if let Some(watches) = watches {
            watches.stop().await;
        }
        if let Some(recorder) = recorder {
            let ended = tokio::task::spawn_blocking(move || recorder.stop(RECORD_WITHIN)).await;
            if !ended.unwrap_or(false) {
                tracing::warn!(
                    "the newest of what Kubernetes said was not kept: the store does not take it"
                );
            }
        }
    };
    tokio::select! {
        () = stopped => tracing::info!("stopped"),
        signal = signals.next() => tracing::warn!(signal, "told twice, stopping at once"),
    }
    Ok(())
}

/// Begins with what was known of Kubernetes before, and keeps what comes.
async fn remember(history: &Arc<History>, directory: &Directory) -> Result<Recorder, Failure> {
    let (history, directory) = (Arc::clone(history), directory.clone());
    let started = tokio::task::spawn_blocking(move || {
        if let Err(error) = history.begin(&directory, now_ms()) {
            tracing::error!(
                error = format!("{error:#}"),
                "cannot read what Kubernetes said before; names begin with what it says now"
            );
        }
        history.record(&directory)
    });
    let started = started.await.unwrap_or_else(|error| Err(error.into()));
    started.map_err(|error| Failure::failed(format!("{error:#}"), "see `ulimit -u`"))
}

/// The cluster that is watched, if any. Its API server may be away.
struct Cluster {
    connection: Option<Connection>,
    /// Why this one, or none.
    why: String,
    /// What stands in the way of the one that was found.
    error: Option<String>,
}

impl Cluster {
    async fn choose(config: &Config) -> Result<Self, Failure> {
        let Choice { source, why, must } =
            watch::source::choose(&config.kubernetes, |name| env::var_os(name), Path::exists);
        let (connection, error) = match Connection::new(&source, config.kubernetes_secrets).await {
            Ok(connection) => (connection, None),
            Err(error) if must => return Err(cannot_watch(&source, &error)),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        Ok(Self {
            connection,
            why,
            error,
        })
    }

    /// Says which it is, and why.
    fn log(&self) {
        let why = &self.why;
        match (&self.connection, &self.error) {
            (Some(connection), _) => {
                tracing::info!(server = connection.server(), why, "watching Kubernetes");
            }
            (None, None) => tracing::info!(why, "not watching Kubernetes"),
            (None, Some(error)) => tracing::warn!(
                error,
                why,
                "not watching Kubernetes; --kubernetes says what to use instead"
            ),
        }
    }
}

fn cannot_watch(source: &Source, error: &anyhow::Error) -> Failure {
    Failure::usage(
        format!("cannot watch Kubernetes: {error:#}"),
        match source {
            Source::Kubeconfig(_) => {
                "name a kubeconfig whose current context works with kubectl, or write --kubernetes off"
            }
            Source::InCluster | Source::Off => {
                "run it as a pod with a service account's token (automountServiceAccountToken), or write --kubernetes off"
            }
        },
    )
}

/// What every agent is asked for.
fn asked(config: &Config) -> v1::AgentConfig {
    let interval = config.agent_interval.unwrap_or_default();
    v1::AgentConfig {
        interval_ms: u32::try_from(interval.as_millis()).unwrap_or(u32::MAX),
        cluster_ranges: config
            .cluster_ranges
            .iter()
            .map(ToString::to_string)
            .collect(),
        ..v1::AgentConfig::default()
    }
}

/// What tells a service to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> Result<Self, Failure> {
        let catch = |kind| {
            signal(kind).map_err(|error| {
                Failure::failed(format!("cannot catch signals: {error}"), "see `ulimit -n`")
            })
        };
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn store_failure(url: &str, error: &anyhow::Error) -> Failure {
    if !url.starts_with("embedded:") {
        return schema::failure(error);
    }
    Failure::failed(
        format!("{error:#}"),
        "name a folder that this user may write and that this version made: --store embedded:DIR; or remove the old one, if its history may go",
    )
}

fn start_failure(error: &anyhow::Error) -> Failure {
    match error.downcast_ref::<PortTaken>() {
        Some(taken) => Failure::failed(
            taken.to_string(),
            format!(
                "`ss -ltnp` shows which; stop it, or choose another port with --{} ADDRESS:PORT",
                taken.flag
            ),
        ),
        None => Failure::failed(
            format!("{error:#}"),
            "choose an address of this machine and a port this user may listen at",
        ),
    }
}
