//! Tests with a real Kubernetes on this machine.

use super::host;
use super::object::Object;
use super::outcome::Outcome;
use super::suite::{self, Needs};
use crate::project::Project;
use crate::root::Root;
use crate::setup::{self, needs};
use crate::{build, cluster};

/// Brings the cluster up, tries, and takes it down again, unless there was one before.
pub(crate) fn run(project: &Project, object: &Object) -> Outcome {
    let skip = |reason: &str| Outcome::skip("cluster tier", reason);
    let object_path = match object {
        Object::Built(path) => path,
        Object::Unavailable(reason) => return skip(reason),
        Object::Broken(_) => return skip("the BPF object could not be built"),
    };
    for needs in [needs::HOST, needs::CLUSTER] {
        if let Some(missing) = setup::ensure(project, needs).first() {
            return skip(&format!("{}: {}", missing.name, missing.reason));
        }
    }
    let programs = match cluster::programs(project) {
        Ok(programs) => programs,
        Err(error) => return skip(&format!("Kubernetes cannot be built here: {error:#}")),
    };
    let root = match Root::obtain("the cluster tier") {
        Ok(root) => root,
        Err(error) => return skip(&format!("{error:#}")),
    };
    if let Err(error) = build::programs(project, false, Some(object_path)) {
        return Outcome::failure(format!("{error:#}"), []);
    }
    let stays = cluster::exists();
    let mut outcome = match cluster::bring_up(&programs) {
        Ok(()) => match host::command(project, object, root, Needs::Cluster) {
            Ok(command) => suite::run(project, command),
            Err(error) => Outcome::failure(format!("{error:#}"), []),
        },
        Err(error) => Outcome::failure(format!("the cluster does not come up: {error:#}"), []),
    };
    if stays {
        println!("the cluster was there before, and stays");
    } else if let Err(error) = cluster::take_down() {
        outcome.add(Outcome::failure(format!("{error:#}"), []));
    }
    outcome
}
