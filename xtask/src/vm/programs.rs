//! Insight's programs, linked statically: a virtual machine has no libraries.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::initrd::PROGRAMS;
use crate::build::with_object;
use crate::cargo;
use crate::project::Project;

/// Naming the target keeps the flags from build scripts and macros, which run here.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// A profile of Cargo.toml: small and not too slow.
const PROFILE: &str = "vm";

/// Builds them with the BPF object inside, and says in which folder they are.
pub(crate) fn build(project: &Project, object: &Path) -> Result<PathBuf> {
    let mut cargo = with_object(cargo::command(&project.root), Some(object));
    cargo.args(["build", "--bins", "--profile", PROFILE, "--target", TARGET]);
    for package in ["insight-agent", "insight-aggregator", "insight-tests"] {
        cargo.args(["--package", package]);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    cargo::run(&mut cargo)
        .context("build static programs; they need glibc's libc.a (Debian: libc6-dev)")?;
    let folder = project.target.join(TARGET).join(PROFILE);
    for program in PROGRAMS {
        let path = folder.join(program);
        ensure!(path.is_file(), "the build left no {}", path.display());
    }
    Ok(folder)
}
