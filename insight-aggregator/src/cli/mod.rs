//! The program's verbs: `serve`, the readers `graph`, `watch`, `edge` and `diff`, which are clients of the same API, `schema`, and `rbac`.
//!
//! Exit codes: 0 done, 1 failed, 64 wrong arguments or configuration.

mod access;
mod args;
mod config;
mod connect;
mod diff;
mod duration;
mod edge;
mod edge_history;
mod failure;
mod graph;
mod log;
mod output;
mod rbac;
mod schema;
mod schema_args;
mod serve;
mod spelling;
#[cfg(test)]
mod tests;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use self::args::{Cli, Verb};
use self::failure::{Failure, USAGE};

/// Runs the program with its arguments and environment.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody reads it when this fails.
            let _ = error.print();
            let is_help = error.exit_code() == 0;
            return ExitCode::from(if is_help { 0 } else { USAGE });
        }
    };
    let ran = match cli.verb {
        Verb::Serve(args) => serve::run(args),
        Verb::Graph(args) => on_one_thread(graph::run(args)),
        Verb::Watch(args) => on_one_thread(watch::run(args)),
        Verb::Diff(args) => on_one_thread(diff::run(args)),
        Verb::Edge(args) => on_one_thread(edge::run(args)),
        Verb::Schema(args) => schema::run(&args),
        Verb::Rbac(args) => rbac::run(&args),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Runs a reader: one connection needs one thread.
fn on_one_thread(reader: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::failed(
                format!("cannot start: {error}"),
                "see `ulimit -n` and memory limits",
            )
        })?
        .block_on(reader)
}
