//! Numbers that look random and are the same in each run.

/// Xorshift (Marsaglia 2003, 64 bits, shifts 13, 7, 17).
pub(super) struct Random(u64);

impl Random {
    /// A sequence of its own for each seed that is not 0.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// The next one below `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_its_range() {
        let mut random = Random::new(7);
        let mut seen = [0; 10];
        for _ in 0..1_000 {
            seen[random.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    }
}
