//! Waiting for something outside, with an end.

use std::time::{Duration, Instant};

/// How often we look.
const STEP: Duration = Duration::from_millis(50);

/// Looks again and again until it is so, or until the time is up; says whether it is so.
pub(crate) fn wait_until(limit: Duration, mut so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if so() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        pause();
    }
}

/// A short sleep between two looks.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no async runtime: its one thread has nothing else to do"
)]
pub(crate) fn pause() {
    std::thread::sleep(STEP);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        assert!(!wait_until(Duration::from_millis(1), || false));
        let mut looks = 0;
        assert!(wait_until(Duration::from_secs(9), || {
            looks += 1;
            looks == 3
        }));
    }
}
