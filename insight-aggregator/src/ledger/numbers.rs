//! Numbers for the row keys of a span, so that a row of a minute need not repeat its key.

use std::collections::hash_map::Entry;

use super::codec::KeyWriter;
use super::map::{RowHash, RowMap};

/// The number of a row key within its span, counted from 0.
pub(super) type KeyNumber = u32;

/// Keys that have a number in one span; rows of others carry their key along. Twice the 1,000,000 edges that the aggregator is
/// built for, and what else comes and goes in six hours; as many as fit into a map of 2^22 places, 140 MB.
const MAX_NUMBERS: usize = 3_500_000;

/// The numbers of a span.
pub(super) type Numbers = RowMap<KeyNumber>;

/// Keys that a commit gives numbers in one span.
pub(super) struct NewNumbers {
    /// Their numbers, which follow those that are known.
    pub(super) numbers: Numbers,
    /// The keys in order of their numbers, as they are stored.
    pub(super) keys: KeyWriter,
    next: usize,
    max: usize,
}

impl NewNumbers {
    /// None yet, beside those that are known.
    pub(super) fn after(known: Option<&Numbers>) -> Self {
        Self {
            numbers: Numbers::default(),
            keys: KeyWriter::default(),
            next: known.map_or(0, Numbers::len),
            max: MAX_NUMBERS,
        }
    }

    /// The number of a key that is not known: a new one if need be, none when there is no more room.
    pub(super) fn of<'a>(
        &mut self,
        hash: RowHash,
        key: impl FnOnce() -> &'a [u8],
    ) -> Option<KeyNumber> {
        match self.numbers.entry(hash) {
            Entry::Occupied(number) => Some(*number.get()),
            Entry::Vacant(_) if self.next >= self.max => None,
            Entry::Vacant(place) => {
                let number = KeyNumber::try_from(self.next).ok()?;
                self.next += 1;
                self.keys.push(number, key());
                Some(*place.insert(number))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_those_that_are_known_until_there_is_no_room() {
        let known = Numbers::from_iter([(7, 0), (8, 1)]);
        let mut new = NewNumbers::after(Some(&known));
        new.max = 4;
        let numbers = [1, 2, 1, 3, 2].map(|hash| new.of(hash, || b"key"));
        assert_eq!(numbers, [Some(2), Some(3), Some(2), None, Some(3)]);
        let [(first, _)] = new.keys.values() else {
            panic!("one value of keys");
        };
        assert_eq!((*first, new.numbers.len()), (2, 2));
    }
}
