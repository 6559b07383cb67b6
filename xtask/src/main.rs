//! Insight's own commands.

mod codegen;

use anyhow::Result;
use clap::Parser;

/// Sets up, builds, tests and runs Insight.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Verb {
    /// Generate proto/src/gen from proto/insight/v1
    Codegen(codegen::Args),
}

fn main() -> Result<()> {
    match Verb::parse() {
        Verb::Codegen(args) => codegen::run(&args),
    }
}
