//! The kernel tests, to be run as root in a virtual machine that is for nothing else: `cargo xtask vm` does it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match insight_tests::vm::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("insight-vm: {error:#}");
            ExitCode::FAILURE
        }
    }
}
