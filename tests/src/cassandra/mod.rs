//! Real Cassandra: a node that tests share ([`shared`]), and nodes that a test may kill ([`Ring`]).

mod node;
mod ring;

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::product::{program, run_once};

pub use ring::Ring;

/// Where `cargo xtask cassandra up` starts its first node.
const SHARED: &str = "127.0.42.1";

/// How long the keyspaces of tests keep rows: what [`crate::product::Aggregator`] asks for.
pub const RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// A place for rows in the shared node that nobody else uses: a cluster of its own in the tests' keyspace, where the schema is applied. The
/// node is brought up if need be, and stays: other tests use it, too, and `cargo xtask test` takes it down.
pub fn shared() -> Result<String> {
    // Tests of one program begin at once.
    static ONE: Mutex<bool> = Mutex::new(false);
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut ready = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let keyspace = format!("cassandra://{SHARED}/tests");
    if !*ready {
        if run_once(xtask("status")?)?.code != Some(0) {
            let status = xtask("up")?.status().context("run xtask")?;
            ensure!(status.success(), "'cargo xtask cassandra up' failed");
        }
        apply_schema(&keyspace, 1)?;
        *ready = true;
    }
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Ok(format!("{keyspace}?cluster={process}-{number}"))
}

/// Applies the schema, with so many copies.
pub fn apply_schema(store: &str, copies: usize) -> Result<()> {
    let mut command = Command::new(program("insight-aggregator")?);
    command
        .args(["schema", "apply", "--store", store, "--replication"])
        .arg(copies.to_string());
    run_once(command)?.stdout().map(drop)
}

/// `cargo xtask cassandra` with this word.
fn xtask(word: &str) -> Result<Command> {
    let mut command = Command::new(program("xtask")?);
    command.arg("cassandra").arg(word);
    Ok(command)
}
