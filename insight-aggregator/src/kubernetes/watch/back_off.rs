//! How long to wait before the next try.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The first wait: a restarting API server refuses connections for a second or two.
const FIRST: Duration = Duration::from_secs(1);

/// Doubles with each failure in a row.
#[derive(Debug)]
pub(super) struct BackOff {
    next: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl BackOff {
    /// It went well.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// How long to wait now, at most `longest`: from half to all of it, by chance, so that the watches of all kinds and of all who
    /// watch do not come back in one moment.
    pub(super) fn wait(&mut self, longest: Duration) -> Duration {
        let whole = self.next.min(longest);
        self.next = whole.saturating_mul(2);
        whole.mul_f64(0.5 + chance() / 2.0)
    }
}

/// A number from 0 to 1, another one each time: the standard library's hashers are seeded by the kernel.
pub(super) fn chance() -> f64 {
    let random = RandomState::new().hash_one(()) >> 32;
    random as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let mut back_off = BackOff::default();
        let longest = Duration::from_secs(30);
        for whole in [1, 2, 4, 8, 16, 30, 30] {
            let waited = back_off.wait(longest).as_secs_f64();
            let whole = f64::from(whole);
            assert!((whole / 2.0..=whole).contains(&waited), "{waited}");
        }
        back_off.reset();
        assert!(back_off.wait(longest) <= FIRST);
    }

    #[test]
    fn chances_differ() {
        let chances: Vec<f64> = std::iter::repeat_with(chance).take(100).collect();
        assert!(chances.iter().all(|chance| (0.0..=1.0).contains(chance)));
        assert!(chances.iter().any(|chance| *chance < 0.3));
        assert!(chances.iter().any(|chance| *chance > 0.7));
    }
}
