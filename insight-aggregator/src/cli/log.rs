//! Log lines on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use super::args::LogFormat;
use super::failure::Failure;

/// Starts logging what `filter` lets through.
pub(super) fn start(filter: &str, format: LogFormat) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::usage(
            format!("cannot read the log filter {filter:?}: {error}"),
            "write a level, for example info, or module=level, for example insight_aggregator=debug",
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::failed(format!("cannot start logging: {error}"), "report it"))
}
