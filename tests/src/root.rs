//! Tests that need root and a kernel with BPF.

use std::fs::OpenOptions;
use std::io::Write;

/// Leaves the test, aloud, when it cannot run here: see [`root::usable`](crate::root::usable).
///
/// ```no_run
/// # fn main() -> anyhow::Result<()> {
/// insight_tests::needs_root!("counts exactly");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! needs_root {
    ($name:expr) => {
        if !$crate::root::usable($name) {
            return Ok(());
        }
    };
}

/// Whether a test that needs root can run. If not, the line `name: reason` goes to the file that `INSIGHT_SKIP_FILE`
/// names and to standard error. Under `CI=true` nothing is skipped: the test runs, and fails if it must.
pub fn usable(name: &str) -> bool {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    if in_ci || rustix::process::geteuid().is_root() {
        return true;
    }
    skip(
        name,
        "needs root: run it with sudo, or use `cargo xtask test`",
    );
    false
}

/// Records that a test was skipped, and why.
pub fn skip(name: &str, reason: &str) {
    let line = format!("{name}: {reason}\n");
    eprint!("skipped: {line}");
    let Ok(path) = std::env::var("INSIGHT_SKIP_FILE") else {
        return;
    };
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        eprintln!("cannot add the line to INSIGHT_SKIP_FILE={path}: {error}");
    }
}
