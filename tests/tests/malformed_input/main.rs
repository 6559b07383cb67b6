//! What is wrong ends in an error that says what to do, and nothing that is stored is lost by it.

mod agents;
mod messages;
mod settings;
mod stored;
mod stores;

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Result, ensure};
use insight_tests::product::{Outcome, program, run_once};

/// Wrong arguments or settings: `EX_USAGE` of sysexits.h.
const USAGE: i32 = 64;
const FAILED: i32 = 1;

/// A user without rights: nobody.
const NOBODY: u32 = 65534;

fn run(name: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Outcome> {
    let mut command = Command::new(program(name)?);
    command.args(args).envs(env.iter().copied());
    run_once(command)
}

fn expect(outcome: &Outcome, code: i32, parts: &[&str]) -> Result<()> {
    outcome.expect_error(parts)?;
    ensure!(
        outcome.code == Some(code),
        "expected exit code {code}: {outcome:?}"
    );
    Ok(())
}

fn as_nobody(name: &str) -> Result<Command> {
    let mut command = Command::new(program(name)?);
    command.uid(NOBODY).gid(NOBODY);
    Ok(command)
}
