//! Tests with a real Cassandra on this machine.

use super::host;
use super::object::Object;
use super::outcome::Outcome;
use super::suite::{self, Needs};
use crate::build;
use crate::cassandra::{self, Home, Version};
use crate::project::Project;
use crate::root::Root;
use crate::setup::{self, needs};

/// Brings one node up that tests share, tries, and takes it down again, unless there was one before. Tests that end nodes start their
/// own.
pub(crate) fn run(project: &Project, object: &Object) -> Outcome {
    let skip = |reason: &str| Outcome::skip("cassandra tier", reason);
    let object_path = match object {
        Object::Built(path) => path,
        Object::Unavailable(reason) => return skip(reason),
        Object::Broken(_) => return skip("the BPF object could not be built"),
    };
    for needs in [needs::HOST, needs::CASSANDRA] {
        if let Some(missing) = setup::ensure(project, needs).first() {
            return skip(&format!("{}: {}", missing.name, missing.reason));
        }
    }
    let home = match Home::obtain(Version::default()) {
        Ok(home) => home,
        Err(error) => return skip(&format!("Cassandra cannot be had here: {error:#}")),
    };
    let root = match Root::obtain("the cassandra tier") {
        Ok(root) => root,
        Err(error) => return skip(&format!("{error:#}")),
    };
    if let Err(error) = build::programs(project, false, Some(object_path)) {
        return Outcome::failure(format!("{error:#}"), []);
    }
    let stays = cassandra::exists();
    let up = if stays {
        Ok(())
    } else {
        cassandra::up(&home, 1)
    };
    let mut outcome = match up {
        Ok(()) => match host::command(project, object, root, Needs::Cassandra) {
            Ok(command) => suite::run(project, command),
            Err(error) => Outcome::failure(format!("{error:#}"), []),
        },
        Err(error) => Outcome::failure(format!("Cassandra does not come up: {error:#}"), []),
    };
    if stays {
        println!("Cassandra was there before, and stays");
    } else if let Err(error) = cassandra::down() {
        outcome.add(Outcome::failure(format!("{error:#}"), []));
    }
    outcome
}
