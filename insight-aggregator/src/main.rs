//! The program `insight-aggregator`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    insight_aggregator::cli::main()
}
