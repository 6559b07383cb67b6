//! Builds optimised programs and measures them.

use std::ffi::OsString;

use anyhow::{Result, ensure};

use crate::project::Project;
use crate::root::Root;
use crate::setup::{self, needs};
use crate::{bpf, build, cargo};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to the benchmark program; --help shows its own
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// The variable that tells the benchmark program where the programs are.
const PROGRAMS_VARIABLE: &str = "INSIGHT_BIN_DIR";

/// Builds, and runs the benchmark program as root.
pub(crate) fn run(args: &Args) -> Result<()> {
    let project = Project::find()?;
    setup::require(&project, needs::HOST)?;
    let root = Root::obtain("the benchmark")?;
    let object = bpf::build(&project)?;
    build::programs(&project, true, Some(&object))?;
    build::measurements(&project, Some(&object))?;
    let programs = project.programs(true);
    let program = programs.join("insight-bench");
    ensure!(program.is_file(), "the build left no {}", program.display());
    cargo::run(
        root.command(&program, &[PROGRAMS_VARIABLE, "PATH"])
            .env(PROGRAMS_VARIABLE, &programs)
            .current_dir(&project.root)
            .args(&args.args),
    )
}
