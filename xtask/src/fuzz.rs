//! Tries the properties of the parsers on ever new input.

use anyhow::{Context, Result};

use crate::cargo;
use crate::project::Project;

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
#[command(after_help = "\
A property says what must hold for every input: that a path that was made for a pod names that pod, that an offset is the one \
that the encoder laid out. `cargo xtask test` tries each on a few hundred inputs, always the same. One that fails is shown with \
the smallest input for which it does; write that into a test of its own.

Examples:
  cargo xtask fuzz                          # 10 seconds for each property
  cargo xtask fuzz --seconds 600
  cargo xtask fuzz --seconds 60 mounts      # only those with this in their names")]
pub(crate) struct Args {
    /// How long each property is tried; as many at once as there are processors
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Only properties with this in their names
    #[arg(default_value = "")]
    name: String,
}

/// The crate that reads what kernels write, and the modules of its tests that hold properties.
const PACKAGE: &str = "insight-agent";
const MODULES: &str = "::properties::";

/// Says for how long each property is tried.
const SECONDS_VARIABLE: &str = "INSIGHT_FUZZ_SECONDS";

/// Tries each property for so long; an error when one does not hold, or there is none of that name.
pub(crate) fn run(args: &Args) -> Result<()> {
    let project = Project::find()?;
    let tests = || {
        let mut tests = cargo::command(&project.root);
        tests.args(["test", "--quiet", "--package", PACKAGE, "--lib", "--"]);
        tests
    };
    let listed = cargo::answer(tests().args(["--list", "--format", "terse", MODULES]))?;
    let properties: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .filter(|test| test.contains(&args.name))
        .collect();
    properties.first().with_context(|| {
        format!(
            "no property has {:?} in its name; these are there:\n{listed}",
            args.name
        )
    })?;
    println!(
        "{} properties, {} s each, as many at once as there are processors",
        properties.len(),
        args.seconds
    );
    cargo::run(
        tests()
            .args(["--exact", "--nocapture"])
            .args(&properties)
            .env(SECONDS_VARIABLE, args.seconds.to_string()),
    )
}
