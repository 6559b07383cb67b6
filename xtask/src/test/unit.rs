//! Tests that need neither root nor a BPF toolchain.

use super::object::Object;
use super::outcome::Outcome;
use super::suite::{self, Needs};
use crate::project::Project;

/// Unit tests, the integration tests that only read files, and the examples in the documentation.
pub(crate) fn run(project: &Project, object: &Object) -> Outcome {
    let mut tests = suite::command(project, object);
    tests.args(["--lib", "--bins"]);
    for test in suite::integration_tests(project, Needs::Nothing) {
        tests.args(["--test", test]);
    }
    let mut outcome = suite::run(project, tests);
    let mut documentation = suite::command(project, object);
    documentation.arg("--doc");
    outcome.add(suite::run(project, documentation));
    outcome
}
