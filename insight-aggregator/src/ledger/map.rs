//! Maps whose key is a hash already.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// xxh3_128 of an encoded row key. Two keys with one hash are not expected: among 10^9 keys the chance is 10^-21.
pub(super) type RowHash = u128;

/// By row hash.
pub(super) type RowMap<V> = HashMap<RowHash, V, BuildHasherDefault<LowBits>>;

/// Takes the low half of a key that is a good hash by itself.
#[derive(Default)]
pub(super) struct LowBits(u64);

impl Hasher for LowBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = u64::try_from(hash & u128::from(u64::MAX)).unwrap_or(0);
    }
}
