//! Removes what tests that were killed may have left on this host: only things that carry our names.

pub(crate) mod cgroups;
mod mounts;
mod network;
mod pins;
pub(crate) mod processes;
mod tracing;

use anyhow::{Result, ensure};

use crate::root::Root;
use crate::{cargo, cassandra, cluster};

/// What was done, and what could not be.
#[derive(Default)]
struct Tally {
    removed: usize,
    problems: Vec<String>,
}

impl Tally {
    /// Notes one attempt.
    fn note(&mut self, what: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                println!("removed {what}");
                self.removed += 1;
            }
            Err(error) => self.problems.push(format!("{what}: {error:#}")),
        }
    }
}

/// Cleans, as root.
pub(crate) fn run() -> Result<()> {
    let root = Root::obtain("cleaning the host")?;
    if root == Root::Sudo {
        let own = std::env::current_exe()?;
        return cargo::run(root.command(own, &[]).arg("clean-host"));
    }
    let mut tally = Tally::default();
    // A cluster that somebody uses, too: who cleans wants an empty host.
    if cluster::leaves_something()? {
        tally.note("the Kubernetes cluster", cluster::take_down());
    }
    match cassandra::clean() {
        Ok(0) => {}
        Ok(found) => tally.note(
            &format!("{found} folders of Cassandra with their processes"),
            Ok(()),
        ),
        Err(error) => tally.note("Cassandra", Err(error)),
    }
    // Processes first, then what they hold: a namespace lives as long as somebody is in it.
    cgroups::clean(&mut tally)?;
    network::clean(&mut tally)?;
    pins::clean(&mut tally)?;
    tracing::clean(&mut tally)?;
    ensure!(
        tally.problems.is_empty(),
        "not everything could be removed:\n  {}",
        tally.problems.join("\n  ")
    );
    if tally.removed == 0 {
        println!("nothing to clean");
    }
    Ok(())
}
