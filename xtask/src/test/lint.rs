//! Form, lints, dependencies and generated code: each check counts as one test.

use std::process::Command;

use super::object::Object;
use super::outcome::{Outcome, Tail};
use super::stream::stream;
use crate::build::with_object;
use crate::project::Project;
use crate::setup::{self, needs};
use crate::{cargo, codegen};

/// Runs all checks, whatever the earlier ones said.
pub(crate) fn run(project: &Project, object: &Object) -> Outcome {
    let cargo = |args: &[&str]| {
        let mut command = with_object(cargo::command(&project.root), object.path());
        command.args(args);
        command
    };
    let mut outcome = check(cargo(&["fmt", "--all", "--check"]));
    outcome.add(check(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])));
    outcome.add(dependencies(project, &cargo));
    outcome.add(match codegen::check() {
        Ok(()) => passed("cargo xtask codegen --check"),
        Err(error) => Outcome::failure("cargo xtask codegen --check", [format!("{error:#}")]),
    });
    outcome
}

fn dependencies(project: &Project, cargo: &dyn Fn(&[&str]) -> Command) -> Outcome {
    if let Some(missing) = setup::ensure(project, needs::LINT).first() {
        return Outcome::skip("cargo deny", &missing.reason);
    }
    match cargo::answer(&mut cargo(&["deny", "fetch", "db"])) {
        Ok(_) => check(cargo(&["deny", "check"])),
        Err(error) => {
            // A machine without a way to GitHub can do nothing about it, and the other three checks need no network.
            println!("note: security advisories are not checked: {error:#}");
            check(cargo(&["deny", "check", "bans", "licenses", "sources"]))
        }
    }
}

fn check(command: Command) -> Outcome {
    let shown = cargo::show(&command);
    let mut tail = Tail::default();
    match stream(command, |line| tail.push(line)) {
        Ok(status) if status.success() => passed(&shown),
        Ok(_) => Outcome::failure(shown, tail.lines()),
        Err(error) => Outcome::failure(shown, [format!("{error:#}")]),
    }
}

fn passed(what: &str) -> Outcome {
    println!("ok: {what}");
    Outcome {
        passed: 1,
        ..Outcome::default()
    }
}
