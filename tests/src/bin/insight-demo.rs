//! A small workload that talks until it is told to stop: `insight-demo --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match insight_tests::demo::run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("insight-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
