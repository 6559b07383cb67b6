//! Runs all tests in tiers, says what passed, failed and was skipped, and ends with the totals.

mod cassandra;
mod cluster;
mod host;
mod libtest;
mod lint;
mod object;
mod outcome;
mod report;
mod stream;
mod suite;
mod unit;
mod vm;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::project::Project;
use object::Object;
use report::Report;

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these tiers (can be repeated); without it all
    #[arg(long, value_enum)]
    only: Vec<Tier>,
}

/// A group of tests with the same needs.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tier {
    /// Form, lints, dependencies, generated code
    Lint,
    /// Needs neither root nor a BPF toolchain
    Unit,
    /// The real kernel with real processes: root and the BPF toolchain
    Host,
    /// A real Kubernetes on this machine; builds it the first time. Where it cannot be had it is skipped, aloud, in CI too unless it was
    /// asked for
    Cluster,
    /// A real Cassandra on this machine; fetches it the first time. Where it cannot be had it is skipped, aloud, in CI too unless it was
    /// asked for
    Cassandra,
    /// Debian's kernels in QEMU; downloads them. Without a mirror of Debian it is skipped, aloud, in CI too unless it was asked for
    Vm,
}

/// Runs the tiers. The last line printed is always `N passed, N failed`.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut report = Report::new(std::env::var("CI").is_ok_and(|ci| ci == "true"));
    if let Err(error) = tiers(args, &mut report) {
        report.broken(&error);
    }
    report.end()
}

fn tiers(args: &Args, report: &mut Report) -> Result<()> {
    let project = Project::find()?;
    let wanted = |tier: Tier| args.only.is_empty() || args.only.contains(&tier);

    // First the object: every tier then compiles the agent in the same environment, once.
    println!("== the BPF object");
    let needs_object = [Tier::Host, Tier::Cluster, Tier::Cassandra, Tier::Vm];
    let object = Object::prepare(&project, needs_object.into_iter().any(wanted));
    if let Object::Broken(failure) = &object {
        report.broken(failure);
    }
    let mut tier = |tier: Tier, name: &str, run: &dyn Fn() -> outcome::Outcome| {
        if wanted(tier) {
            println!("== {name}");
            let start = Instant::now();
            let outcome = run();
            // Other kernels are downloads from a mirror of Debian, Kubernetes' modules from one of Go's, Cassandra from one of Maven's:
            // not every machine that tests has those.
            let may_skip =
                [Tier::Cluster, Tier::Cassandra, Tier::Vm].contains(&tier) && args.only.is_empty();
            report.tier(name, outcome, start.elapsed(), may_skip);
        }
    };
    tier(Tier::Lint, "lint", &|| lint::run(&project, &object));
    tier(Tier::Unit, "unit", &|| unit::run(&project, &object));
    tier(Tier::Host, "host", &|| host::run(&project, &object));
    tier(Tier::Cluster, "cluster", &|| {
        cluster::run(&project, &object)
    });
    tier(Tier::Cassandra, "cassandra", &|| {
        cassandra::run(&project, &object)
    });
    tier(Tier::Vm, "vm", &|| vm::run(&project, &object));
    Ok(())
}
