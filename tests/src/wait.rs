//! Waiting for what takes a while, with the last reason in the error.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Enough for a busy two-core machine; a test that passes never waits that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Tries until it works. The error after `timeout` says what was waited for and why the last try failed.
pub fn eventually<T>(
    timeout: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() >= timeout => {
                return Err(error).with_context(|| {
                    format!("waited {} s for {what}; last try", timeout.as_secs())
                });
            }
            Err(_) => pause(POLL),
        }
    }
}

/// Blocks this thread.
#[expect(
    clippy::disallowed_methods,
    reason = "tests run on plain threads, which have no other clock to wait on"
)]
pub fn pause(time: Duration) {
    thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn returns_the_first_success() {
        let mut tries = 0;
        let value = eventually(Duration::from_secs(5), "three", || {
            tries += 1;
            if tries < 3 {
                bail!("only {tries}");
            }
            Ok(tries)
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn says_what_and_why_when_it_gives_up() {
        let result: Result<()> = eventually(Duration::ZERO, "rain", || bail!("no clouds"));
        let message = format!("{:#}", result.unwrap_err());
        assert!(
            message.contains("rain") && message.contains("no clouds"),
            "{message}"
        );
    }
}
