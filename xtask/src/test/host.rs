//! Tests with the real kernel and real processes.

use std::process::Command;

use anyhow::{Context, Result};

use super::object::Object;
use super::outcome::Outcome;
use super::suite::{self, Needs};
use crate::project::Project;
use crate::root::Root;
use crate::setup::{self, needs};
use crate::{build, cargo};

/// The variable that names the folder of the built programs.
const PROGRAMS_VARIABLE: &str = "INSIGHT_BIN_DIR";
/// libtest's own variable for how many tests of one program run at once.
const THREADS_VARIABLE: &str = "RUST_TEST_THREADS";
/// The default for it. Each test runs an aggregator, agents and clients, and waits for intervals of a second or so: more at once
/// would measure how busy a small machine is.
const THREADS: &str = "2";

/// Builds the programs and tries them.
pub(crate) fn run(project: &Project, object: &Object) -> Outcome {
    match object {
        Object::Built(path) => {
            if let Some(missing) = setup::ensure(project, needs::HOST).first() {
                return Outcome::skip("host tier", format!("{}: {}", missing.name, missing.reason));
            }
            let root = match Root::obtain("the host tier") {
                Ok(root) => root,
                Err(error) => return Outcome::skip("host tier", format!("{error:#}")),
            };
            if let Err(error) = build::programs(project, false, Some(path)) {
                return Outcome::failure(format!("{error:#}"), []);
            }
            match command(project, object, root, Needs::Host) {
                Ok(command) => suite::run(project, command),
                Err(error) => Outcome::failure(format!("{error:#}"), []),
            }
        }
        Object::Unavailable(reason) => Outcome::skip("host tier", reason),
        Object::Broken(_) => Outcome::skip("host tier", "the BPF object could not be built"),
    }
}

/// `cargo test` of those that need the real kernel, as root, with the programs at hand.
pub(super) fn command(
    project: &Project,
    object: &Object,
    root: Root,
    needs: Needs,
) -> Result<Command> {
    let mut command = suite::command(project, object);
    let tests = suite::integration_tests(project, needs);
    anyhow::ensure!(!tests.is_empty(), "there are no such tests in tests/tests");
    for test in tests {
        command.args(["--test", test]);
    }
    if std::env::var_os(THREADS_VARIABLE).is_none() {
        command.args(["--", "--test-threads", THREADS]);
    }
    command.env(PROGRAMS_VARIABLE, project.programs(false));
    if root == Root::Sudo {
        // Only the test programs become root, not cargo: the build stays ours.
        command.env(runner_variable(project)?, runner());
    }
    Ok(command)
}

fn runner() -> String {
    let keep = [
        PROGRAMS_VARIABLE,
        suite::SKIP_FILE_VARIABLE,
        THREADS_VARIABLE,
        "RUST_BACKTRACE",
        // The cassandra tier's cache is below it.
        "HOME",
        "PATH",
        "CI",
    ];
    format!("sudo --preserve-env={} --", keep.join(","))
}

/// The variable by which cargo takes a program that runs the programs it has built.
fn runner_variable(project: &Project) -> Result<String> {
    let about = cargo::answer(cargo::tool(&project.root, "rustc").arg("-vV"))?;
    let triple = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("'rustc -vV' names no host")?;
    Ok(format!(
        "CARGO_TARGET_{}_RUNNER",
        triple.to_uppercase().replace('-', "_")
    ))
}
