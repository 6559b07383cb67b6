//! Times, counted by their binary order of magnitude.

use std::ops::AddAssign;

/// Buckets of [`Times`].
pub const BUCKETS: usize = 16;

/// What is below the end of the first bucket, microseconds; each further bucket ends at twice as much, and the last has no end.
const FIRST: u64 = 32;

/// How many times fell into each bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times(pub [u32; BUCKETS]);

impl Times {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// The time that this part of all are not above, microseconds: a point of its bucket that assumes that times lie evenly there, so it is
    /// wrong by a factor of two at most. None without times.
    pub fn quantile(&self, part: f64) -> Option<u32> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (part * count as f64).clamp(1.0, count as f64);
        let mut below = 0.0;
        for (index, here) in self.0.iter().enumerate() {
            let here = f64::from(*here);
            if below + here >= rank {
                let end = (FIRST << index) as f64;
                let start = if index == 0 { 0.0 } else { end / 2.0 };
                return Some((start + (end - start) * (rank - below) / here) as u32);
            }
            below += here;
        }
        None
    }
}

impl AddAssign for Times {
    fn add_assign(&mut self, more: Self) {
        for (count, more) in self.0.iter_mut().zip(more.0) {
            *count = count.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(buckets: &[(usize, u32)]) -> Times {
        let mut times = Times::default();
        for (bucket, count) in buckets {
            times.0[*bucket] = *count;
        }
        times
    }

    #[test]
    fn quantiles_lie_in_their_bucket() {
        let times = of(&[(1, 50), (3, 40), (15, 10)]);
        assert_eq!(times.quantile(0.5), Some(64));
        assert_eq!(times.quantile(0.25), Some(48));
        assert_eq!(times.quantile(0.9), Some(256));
        let last = times.quantile(0.99).unwrap();
        assert!((524_288..=1_048_576).contains(&last), "{last}");
        assert_eq!(of(&[(0, 1)]).quantile(0.5), Some(32));
        assert_eq!(Times::default().quantile(0.5), None);
    }

    #[test]
    fn sums_do_not_wrap() {
        let mut times = of(&[(2, u32::MAX), (3, 1)]);
        times += of(&[(2, 5), (3, 2)]);
        assert_eq!(times, of(&[(2, u32::MAX), (3, 3)]));
    }
}
