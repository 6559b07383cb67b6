//! Builds the BPF object, then the programs with it inside.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::setup::{self, needs};
use crate::{bpf, cargo};

/// Arguments of `cargo xtask build`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Optimise, as for use
    #[arg(long)]
    release: bool,
}

/// Installs what is missing, builds, and says where the programs are.
pub(crate) fn run(args: &Args) -> Result<()> {
    let project = Project::find()?;
    setup::require(&project, needs::BPF)?;
    let object = bpf::build(&project)?;
    programs(&project, args.release, Some(&object))?;
    println!("BPF object  {}", object.display());
    println!("programs    {}", project.programs(args.release).display());
    Ok(())
}

/// Whose programs are built for use.
const PACKAGES: [&str; 3] = ["insight-agent", "insight-aggregator", "insight-tests"];

/// Builds the workspace's programs, with the object when there is one.
pub(crate) fn programs(project: &Project, release: bool, object: Option<&Path>) -> Result<()> {
    let mut cargo = with_object(cargo::command(&project.root), object);
    cargo.args(["build", "--bins"]);
    if release {
        // What `up` and `bench` run, and no more: a newcomer waits for it.
        cargo.arg("--release");
        for package in PACKAGES {
            cargo.args(["--package", package]);
        }
    } else {
        // The same choice of packages as the tests make: another one would unify features differently and build twice.
        cargo.arg("--workspace");
    }
    cargo::run(&mut cargo).context("build the programs")
}

/// Builds what only measurements need, besides the optimised programs.
pub(crate) fn measurements(project: &Project, object: Option<&Path>) -> Result<()> {
    let mut cargo = with_object(cargo::command(&project.root), object);
    cargo.args(["build", "--release", "--examples"]);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    cargo::run(&mut cargo).context("build the measurements")
}

/// Tells a cargo call which object the agent embeds. Every verb does it in this one way, so none makes the others rebuild.
pub(crate) fn with_object(mut cargo: Command, object: Option<&Path>) -> Command {
    match object {
        Some(object) => cargo.env(bpf::OBJECT_VARIABLE, object),
        None => cargo.env_remove(bpf::OBJECT_VARIABLE),
    };
    cargo
}
