//! Reads what `cargo test` prints while it prints it: the totals, and which tests failed or were ignored.

use std::collections::BTreeMap;

use super::outcome::{Excerpt, Failure, Outcome, Skip, Tail};

/// Follows the combined stdout and stderr of one `cargo test`, line by line.
#[derive(Default)]
pub(crate) struct Parser {
    /// The test program that runs now, until it prints its result
    running: Option<String>,
    /// The last program that began, for the names of what follows its result
    program: String,
    section: Section,
    outputs: BTreeMap<String, Excerpt>,
    failed: Vec<String>,
    ignored: Vec<Skip>,
    results: usize,
    recent: Tail,
    outcome: Outcome,
}

/// libtest prints "failures:" twice for a program: first the outputs, then the names.
#[derive(Default)]
enum Section {
    #[default]
    Tests,
    Outputs(Option<String>),
    Names,
}

impl Parser {
    /// Takes the next line, without its end.
    pub(crate) fn line(&mut self, line: &str) {
        self.recent.push(line);
        if let Some(program) = started(line) {
            self.end_program();
            program.clone_into(&mut self.program);
            self.running = Some(program);
        } else if let Some(result) = totals(line) {
            self.result(&result);
        } else if line == "failures:" {
            self.section = match self.section {
                Section::Tests => Section::Outputs(None),
                Section::Outputs(_) | Section::Names => Section::Names,
            };
        } else {
            self.inside(line);
        }
    }

    fn inside(&mut self, line: &str) {
        match &mut self.section {
            Section::Tests => {
                if let Some((name, reason)) = ignored(line) {
                    self.ignored.push(Skip {
                        name: format!("{}: {name}", self.program),
                        reason: reason.to_owned(),
                    });
                }
            }
            Section::Outputs(current) => {
                let header = line
                    .strip_prefix("---- ")
                    .and_then(|rest| rest.strip_suffix(" ----"))
                    .and_then(|rest| rest.strip_suffix(" stdout"));
                if let Some(name) = header {
                    *current = Some(name.to_owned());
                } else if let Some(name) = current {
                    self.outputs.entry(name.clone()).or_default().push(line);
                }
            }
            Section::Names => {
                if let Some(name) = line.strip_prefix("    ") {
                    self.failed.push(name.to_owned());
                }
            }
        }
    }

    fn result(&mut self, totals: &Totals) {
        self.results += 1;
        self.running = None;
        self.section = Section::Tests;
        self.outcome.passed += totals.passed;
        let mut failed = std::mem::take(&mut self.failed);
        // The totals are the truth; a name may be lost in what a test's child printed into the middle of a line.
        failed.truncate(totals.failed);
        failed.resize(
            totals.failed,
            "a test whose name was not printed".to_owned(),
        );
        let mut outputs = std::mem::take(&mut self.outputs);
        for name in failed {
            self.outcome.failed.push(Failure {
                output: outputs
                    .remove(&name)
                    .map(Excerpt::lines)
                    .unwrap_or_default(),
                name: format!("{}: {name}", self.program),
            });
        }
        let mut ignored = std::mem::take(&mut self.ignored);
        ignored.truncate(totals.ignored);
        while ignored.len() < totals.ignored {
            ignored.push(Skip {
                name: format!("{}: a test whose name was not printed", self.program),
                reason: "ignored".to_owned(),
            });
        }
        self.outcome.skipped.extend(ignored);
    }

    /// A program that never printed its result has crashed.
    fn end_program(&mut self) {
        if let Some(program) = self.running.take() {
            let output = std::mem::take(&mut self.recent).lines();
            self.outcome.failed.push(Failure {
                name: format!("{program}: the test program ended without a result"),
                output,
            });
        }
        self.section = Section::Tests;
        self.failed.clear();
        self.ignored.clear();
        self.outputs.clear();
    }

    /// The outcome, once the command has ended.
    pub(crate) fn finish(mut self, command: &str, succeeded: bool) -> Outcome {
        self.end_program();
        if !succeeded && self.outcome.failed.is_empty() {
            self.outcome.failed.push(Failure {
                name: format!("'{command}' failed"),
                output: self.recent.lines(),
            });
        } else if self.results == 0 && self.outcome.failed.is_empty() {
            self.outcome.failed.push(Failure {
                name: format!("'{command}' ran no test program"),
                output: self.recent.lines(),
            });
        }
        self.outcome
    }
}

/// The name of the test program that cargo says it starts.
fn started(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(krate) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{krate} (documentation)"));
    }
    let path = line.strip_prefix("Running ")?.strip_suffix(')')?;
    let (_, path) = path.rsplit_once('(')?;
    let file = path.rsplit('/').next()?;
    let (name, hash) = file.rsplit_once('-')?;
    hash.chars()
        .all(|c| c.is_ascii_hexdigit())
        .then(|| name.to_owned())
}

/// `test NAME ... ignored` or `test NAME ... ignored, REASON`.
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let reason = verdict.strip_prefix("ignored")?;
    Some((name, reason.strip_prefix(", ").unwrap_or("ignored")))
}

struct Totals {
    passed: usize,
    failed: usize,
    ignored: usize,
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
fn totals(line: &str) -> Option<Totals> {
    // Not at the line's start alone: a test's child may have printed half a line before it.
    let (_, rest) = line.split_once("test result: ")?;
    let rest = rest
        .strip_prefix("ok. ")
        .or_else(|| rest.strip_prefix("FAILED. "))?;
    let count = |what: &str| {
        rest.split("; ").find_map(|part| {
            let (number, name) = part.split_once(' ')?;
            (name == what).then(|| number.parse().ok())?
        })
    };
    Some(Totals {
        passed: count("passed")?,
        failed: count("failed")?,
        ignored: count("ignored")?,
    })
}

#[cfg(test)]
#[path = "libtest_tests.rs"]
mod tests;
