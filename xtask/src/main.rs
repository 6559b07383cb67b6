//! Insight's own commands: one file or folder per verb.

mod bench;
mod bpf;
mod build;
mod cargo;
mod cassandra;
mod clean_host;
mod cluster;
mod codegen;
mod fuzz;
mod patience;
mod project;
mod root;
mod setup;
mod signals;
mod test;
mod up;
mod vm;

use std::process::ExitCode;

use clap::Parser;

/// Sets up, builds, tests and runs Insight.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Verb {
    /// Install what the other verbs need and this machine lacks (they do so themselves)
    Setup,
    /// Build the BPF object and the programs
    Build(build::Args),
    /// Run all tests in tiers
    Test(test::Args),
    /// Run aggregator and agent on this host and show its live graph, until Ctrl-C
    Up(up::Args),
    /// Measure, beside the budgets
    Bench(bench::Args),
    /// Run the kernel tests in virtual machines with Debian's kernels
    Vm(vm::Args),
    /// A real Kubernetes cluster with two nodes on this machine: up, down, status
    Cluster(cluster::Args),
    /// A real Cassandra on this machine, one node or a ring of three: up, down, status
    Cassandra(cassandra::Args),
    /// Remove what broken tests may have left on this host
    CleanHost,
    /// Try the properties of the parsers on ever new input
    Fuzz(fuzz::Args),
    /// Generate proto/src/gen from proto/insight/v1
    Codegen(codegen::Args),
}

fn main() -> ExitCode {
    let result = match Verb::parse() {
        // It says itself how it ended: its last line is for machines.
        Verb::Test(args) => return test::run(&args),
        Verb::Setup => setup::run(),
        Verb::Build(args) => build::run(&args),
        Verb::Up(args) => up::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Vm(args) => vm::run(&args),
        Verb::Cluster(args) => cluster::run(&args),
        Verb::Cassandra(args) => cassandra::run(&args),
        Verb::CleanHost => clean_host::run(),
        Verb::Fuzz(args) => fuzz::run(&args),
        Verb::Codegen(args) => codegen::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
