//! Numbers for the row keys of a span, so that a row of a minute need not repeat its key.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::map::{RowHash, RowMap};
use crate::model::RowKey;

/// The number of a row key within its span, counted from 0.
pub(super) type KeyNumber = u32;

/// Keys that have a number in one span; rows of others carry their key along. Twice the 1,000,000 edges that the aggregator is
/// built for, and what else comes and goes in six hours; as many as fit into a map of 2^22 places. With the keys that takes 600 MB.
const MAX_NUMBERS: KeyNumber = 3_500_000;

/// A row key with its hash.
pub(super) type HashedKey = (RowHash, Arc<RowKey>);

/// The numbers of a span.
#[derive(Default)]
pub(super) struct Numbers {
    /// By number.
    keys: Vec<HashedKey>,
    by_hash: RowMap<KeyNumber>,
}

impl Numbers {
    /// The keys, each at its number.
    pub(super) fn keys(&self) -> &[HashedKey] {
        &self.keys
    }

    /// The number that is given next.
    fn next(&self) -> KeyNumber {
        number(self.keys.len())
    }

    /// The number of a key.
    pub(super) fn of(&self, hash: RowHash) -> Option<KeyNumber> {
        self.by_hash.get(&hash).copied()
    }
}

/// Adds keys with the next numbers.
impl Extend<HashedKey> for Numbers {
    fn extend<T: IntoIterator<Item = HashedKey>>(&mut self, keys: T) {
        for (hash, key) in keys {
            self.by_hash.insert(hash, self.next());
            self.keys.push((hash, key));
        }
    }
}

/// There are no more than [`MAX_NUMBERS`].
fn number(count: usize) -> KeyNumber {
    KeyNumber::try_from(count).unwrap_or(KeyNumber::MAX)
}

/// Keys that a commit gives numbers in one span.
pub(super) struct NewNumbers {
    /// The number of the first.
    pub(super) first: KeyNumber,
    /// The keys in order of their numbers.
    pub(super) keys: Vec<HashedKey>,
    by_hash: RowMap<KeyNumber>,
    max: KeyNumber,
}

impl NewNumbers {
    /// None yet, after those that are known.
    pub(super) fn after(known: Option<&Numbers>) -> Self {
        Self {
            first: known.map_or(0, Numbers::next),
            keys: Vec::new(),
            by_hash: RowMap::default(),
            max: MAX_NUMBERS,
        }
    }

    /// The number of a key that is not known: a new one if need be, none when there is no more room.
    pub(super) fn of(&mut self, hash: RowHash, key: &RowKey) -> Option<KeyNumber> {
        let next = self.first + number(self.keys.len());
        match self.by_hash.entry(hash) {
            Entry::Occupied(number) => Some(*number.get()),
            Entry::Vacant(_) if next >= self.max => None,
            Entry::Vacant(place) => {
                self.keys.push((hash, Arc::new(key.clone())));
                Some(*place.insert(next))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::key;

    #[test]
    fn numbers_follow_those_that_are_known_until_there_is_no_room() {
        let hashed = |hash| (hash, Arc::new(key("a", 1)));
        let mut known = Numbers::default();
        known.extend([hashed(7), hashed(8)]);
        let mut new = NewNumbers::after(Some(&known));
        new.max = 4;
        let numbers = [1, 2, 1, 3, 2].map(|hash| new.of(hash, &key("a", 1)));
        assert_eq!(numbers, [Some(2), Some(3), Some(2), None, Some(3)]);
        known.extend(new.keys);
        assert_eq!(
            [7, 8, 1, 2, 3].map(|hash| known.of(hash)),
            [Some(0), Some(1), Some(2), Some(3), None]
        );
        assert_eq!(known.keys()[3].0, 2);
    }
}
