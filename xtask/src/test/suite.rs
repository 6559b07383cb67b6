//! One `cargo test` of some targets of the workspace.

use std::process::Command;

use super::libtest::Parser;
use super::outcome::Outcome;
use super::stream::stream;
use crate::build::with_object;
use crate::project::Project;
use crate::{cargo, test::object::Object};

/// The variable that names the file in which a test that cannot do its work notes a line `name: reason`.
pub(crate) const SKIP_FILE_VARIABLE: &str = "INSIGHT_SKIP_FILE";

/// The crate whose integration tests need the real kernel.
const HOST_CRATE: &str = "insight-tests";
/// Its tests that only read files.
const NEED_NO_HOST: [&str; 1] = ["absences"];

/// How the names of those begin that need a cluster beside the real kernel.
const CLUSTER_PREFIX: &str = "cluster_";

/// How the names of those begin that need Cassandra beside the real kernel.
const CASSANDRA_PREFIX: &str = "cassandra_";

/// What integration tests need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Files
    Nothing,
    /// The real kernel
    Host,
    /// A cluster, and the real kernel
    Cluster,
    /// Cassandra, and the real kernel
    Cassandra,
}

/// The workspace's integration tests that need this.
pub(crate) fn integration_tests(project: &Project, needs: Needs) -> Vec<&str> {
    project
        .test_targets
        .iter()
        .filter(|(krate, test)| needs_of(krate, test) == needs)
        .map(|(_, test)| test.as_str())
        .collect()
}

fn needs_of(krate: &str, test: &str) -> Needs {
    if krate != HOST_CRATE || NEED_NO_HOST.contains(&test) {
        Needs::Nothing
    } else if test.starts_with(CLUSTER_PREFIX) {
        Needs::Cluster
    } else if test.starts_with(CASSANDRA_PREFIX) {
        Needs::Cassandra
    } else {
        Needs::Host
    }
}

/// `cargo test` for the whole workspace, to be narrowed by the caller: the same packages each time, so that nothing is built twice
/// for another set of features.
pub(crate) fn command(project: &Project, object: &Object) -> Command {
    let mut command = with_object(cargo::command(&project.root), object.path());
    command.args(["test", "--workspace", "--no-fail-fast"]);
    command
}

/// Runs it, and reads the outcome from what it prints and from the skip file.
pub(crate) fn run(project: &Project, mut command: Command) -> Outcome {
    let shown = cargo::show(&command);
    let notes = project.target.join(format!("skips-{}", std::process::id()));
    if let Err(error) = std::fs::write(&notes, "") {
        return Outcome::failure(format!("write {}: {error}", notes.display()), []);
    }
    command.env(SKIP_FILE_VARIABLE, &notes);
    let mut parser = Parser::default();
    let mut outcome = match stream(command, |line| parser.line(line)) {
        Ok(status) => parser.finish(&shown, status.success()),
        Err(error) => Outcome::failure(format!("{error:#}"), []),
    };
    match std::fs::read_to_string(&notes) {
        Ok(text) => outcome.add_noted_skips(&text),
        Err(error) => outcome.add(Outcome::failure(
            format!("read {}: {error}", notes.display()),
            [],
        )),
    }
    let _ = std::fs::remove_file(&notes);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_belongs_to_exactly_one_tier() {
        let own = |krate: &str, test: &str| (krate.to_owned(), test.to_owned());
        let project = Project {
            root: "/".into(),
            target: "/".into(),
            test_targets: vec![
                own("insight-tests", "pods"),
                own("insight-tests", "absences"),
                own("insight-tests", "cluster_pods"),
                own("insight-tests", "cassandra_pods"),
                own("insight-agent", "cli"),
            ],
        };
        let tests = |needs| integration_tests(&project, needs);
        assert_eq!(tests(Needs::Host), ["pods"]);
        assert_eq!(tests(Needs::Cluster), ["cluster_pods"]);
        assert_eq!(tests(Needs::Cassandra), ["cassandra_pods"]);
        assert_eq!(tests(Needs::Nothing), ["absences", "cli"]);
    }
}
