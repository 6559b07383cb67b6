//! The product's programs, run as a user runs them.

mod agent;
mod aggregator;
mod daemon;
mod once;
mod ports;
mod programs;

pub use agent::Agent;
pub use aggregator::{Aggregator, serve_args, serve_args_for};
pub use daemon::Daemon;
pub use once::{Outcome, run_once};
pub use ports::free_port;
pub use programs::program;
