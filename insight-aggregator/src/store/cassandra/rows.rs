//! The rows of a batch by partition, and as the bytes that the journal keeps.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use crate::store::{Put, WindowId};

/// Table, window, partition.
pub(super) type Place = (String, WindowId, Vec<u8>);

/// Rows by partition, each place once: of two with the same the later one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows(pub(super) BTreeMap<Place, BTreeMap<Vec<u8>, Vec<u8>>>);

impl From<Vec<Put>> for Rows {
    fn from(batch: Vec<Put>) -> Self {
        let mut rows = Self::default();
        for put in batch {
            rows.insert(
                (put.table.to_owned(), put.window, put.partition),
                put.clustering,
                put.value,
            );
        }
        rows
    }
}

impl Rows {
    fn insert(&mut self, place: Place, clustering: Vec<u8>, value: Vec<u8>) {
        self.0.entry(place).or_default().insert(clustering, value);
    }

    /// Bytes that a partition's rows take.
    pub(super) fn size(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> usize {
        rows.iter()
            .map(|(clustering, value)| clustering.len() + value.len())
            .sum()
    }

    /// For each partition its place, the number of its rows, and these; lengths are 4 bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut put = |part: &[u8]| {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(part);
        };
        for ((table, window, partition), rows) in &self.0 {
            put(table.as_bytes());
            put(&window.to_le_bytes());
            put(partition);
            put(&(rows.len() as u64).to_le_bytes());
            for (clustering, value) in rows {
                put(clustering);
                put(value);
            }
        }
        bytes
    }

    /// What [`Self::encode`] made.
    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self> {
        let mut rows = Self::default();
        while !bytes.is_empty() {
            let table = String::from_utf8(take(&mut bytes)?.to_vec())?;
            let window = WindowId::from_le_bytes(take(&mut bytes)?.try_into()?);
            let partition = take(&mut bytes)?.to_vec();
            let count = u64::from_le_bytes(take(&mut bytes)?.try_into()?);
            for _ in 0..count {
                let clustering = take(&mut bytes)?.to_vec();
                let value = take(&mut bytes)?.to_vec();
                rows.insert(
                    (table.clone(), window, partition.clone()),
                    clustering,
                    value,
                );
            }
        }
        Ok(rows)
    }
}

fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk().context("it ends in a length")?;
    let length = u32::from_le_bytes(*length) as usize;
    ensure!(length <= rest.len(), "it ends in a row");
    let (part, rest) = rest.split_at(length);
    *bytes = rest;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let put = |table, window, partition: &str, clustering: &str, value: &str| Put {
            table,
            window,
            partition: partition.into(),
            clustering: clustering.into(),
            value: value.into(),
        };
        Rows::from(vec![
            put("t", 1, "p", "b", "1"),
            put("u", u64::MAX, "", "", ""),
            put("t", 1, "p", "a", "2"),
            put("t", 1, "p", "b", "3"),
        ])
    }

    #[test]
    fn of_two_rows_with_one_place_the_later_stays() {
        let rows = rows();
        let partition = &rows.0[&("t".to_owned(), 1, b"p".to_vec())];
        assert_eq!(partition[b"b".as_slice()], b"3");
        assert_eq!(
            (rows.0.len(), partition.len(), Rows::size(partition)),
            (2, 2, 4)
        );
    }

    #[test]
    fn bytes_come_back_and_cut_ones_are_refused() {
        let bytes = rows().encode();
        assert_eq!(Rows::decode(&bytes).unwrap(), rows());
        let mut whole = 0;
        for end in 0..bytes.len() {
            // Between partitions the end cannot be told; the journal knows the length.
            whole += usize::from(Rows::decode(&bytes[..end]).is_ok());
        }
        assert_eq!(whole, 2, "nothing, and one partition of two");
    }
}
