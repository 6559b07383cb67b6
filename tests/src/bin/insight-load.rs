//! TCP traffic of which every byte is known: `insight-load --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match insight_tests::load::run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("insight-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
