//! What Insight costs and how fast it is: `insight-bench --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::var_os("INSIGHT_LOG").is_none() {
        // SAFETY: no other thread runs yet. The programs that are started inherit it: in a table's company only what goes
        // wrong is worth a line.
        unsafe { std::env::set_var("INSIGHT_LOG", "error") };
    }
    match insight_tests::bench::main(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("insight-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
