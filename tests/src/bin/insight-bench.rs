//! What Insight costs and how fast it is: `insight-bench --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match insight_tests::bench::main(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("insight-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
