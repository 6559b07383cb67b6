//! Row keys in order of their numbers, many in one value.

use anyhow::Result;

use super::bytes::{put_varint, take_bytes, take_varint};
use super::{FULL, VERSION, content};
use crate::ledger::numbers::KeyNumber;

/// Writes keys that have successive numbers.
pub(in crate::ledger) struct KeyWriter {
    next: KeyNumber,
    values: Vec<(KeyNumber, Vec<u8>)>,
}

impl KeyWriter {
    /// Keys from this number on.
    pub(in crate::ledger) fn new(first: KeyNumber) -> Self {
        Self {
            next: first,
            values: Vec::new(),
        }
    }

    /// Adds the key that has the next number.
    pub(in crate::ledger) fn push(&mut self, key: &[u8]) {
        if self
            .values
            .last()
            .is_none_or(|(_, value)| value.len() >= FULL)
        {
            self.values.push((self.next, vec![VERSION]));
        }
        if let Some((_, value)) = self.values.last_mut() {
            put_varint(value, key.len() as u64);
            value.extend_from_slice(key);
            self.next += 1;
        }
    }

    /// The values, each with the number of its first key.
    pub(in crate::ledger) fn finish(self) -> Vec<(KeyNumber, Vec<u8>)> {
        self.values
    }
}

/// Hands out the keys of a value, in order of their numbers.
pub(in crate::ledger) fn each_key(
    value: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut rest = content(value)?;
    while !rest.is_empty() {
        let length = take_varint(&mut rest)?;
        take(take_bytes(&mut rest, length)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_in_their_order() {
        let keys: Vec<Vec<u8>> = (0..3_000).map(|key| vec![key as u8; key % 300]).collect();
        let mut writer = KeyWriter::new(5);
        for key in &keys {
            writer.push(key);
        }
        let values = writer.finish();
        let mut found = Vec::new();
        for (first, value) in &values {
            assert_eq!(*first as usize, 5 + found.len());
            each_key(value, |key| {
                found.push(key.to_vec());
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(found, keys);
        assert!(values.len() > 1);
    }

    #[test]
    fn broken_keys_are_errors() {
        let read = |value: &[u8]| each_key(value, |_| Ok(()));
        assert!(read(&[VERSION]).is_ok());
        for broken in [&[][..], &[9, 1, 1], &[VERSION, 2, 1], &[VERSION, 0x80]] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }
}
