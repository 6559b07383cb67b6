//! A row's place as one key: the partition's length (2 bytes, big-endian), the partition, the clustering key.
//!
//! The length in front keeps one partition's rows together whatever the partitions' bytes are.

use std::ops::Bound;

use crate::store::MAX_KEY;

/// The key of a row.
pub(super) fn encode(partition: &[u8], clustering: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + partition.len() + clustering.len());
    key.extend_from_slice(&length(partition).to_be_bytes());
    key.extend_from_slice(partition);
    key.extend_from_slice(clustering);
    key
}

/// The clustering part of a key of this partition.
pub(super) fn clustering<'a>(key: &'a [u8], partition: &[u8]) -> &'a [u8] {
    &key[2 + partition.len()..]
}

/// The keys of a partition, no longer than `MAX_KEY`, with clustering keys in a range.
pub(super) fn range(
    partition: &[u8],
    range: &(Bound<Vec<u8>>, Bound<Vec<u8>>),
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let from = match &range.0 {
        Bound::Unbounded => Bound::Included(encode(partition, &[])),
        Bound::Included(clustering) | Bound::Excluded(clustering)
            if is_long(partition, clustering) =>
        {
            Bound::Excluded(cut(partition, clustering))
        }
        bound => bound
            .as_ref()
            .map(|clustering| encode(partition, clustering)),
    };
    let to = match &range.1 {
        Bound::Unbounded => Bound::Excluded(after(encode(partition, &[]))),
        Bound::Included(clustering) | Bound::Excluded(clustering)
            if is_long(partition, clustering) =>
        {
            Bound::Included(cut(partition, clustering))
        }
        bound => bound
            .as_ref()
            .map(|clustering| encode(partition, clustering)),
    };
    (from, to)
}

/// Whether a key is longer than any row's. fjall panics when it is asked for one.
fn is_long(partition: &[u8], clustering: &[u8]) -> bool {
    partition.len() + clustering.len() > MAX_KEY
}

/// The longest key that a row can have on the way to a longer one: no row is between the two.
fn cut(partition: &[u8], clustering: &[u8]) -> Vec<u8> {
    encode(partition, &clustering[..MAX_KEY - partition.len()])
}

/// The first key that does not start with this prefix. A prefix starts with a length that is less than 0xffff, so there is
/// one.
fn after(mut prefix: Vec<u8>) -> Vec<u8> {
    while prefix.pop_if(|last| *last == u8::MAX).is_some() {}
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

/// Partitions are no longer than `MAX_KEY`: checked before a row is written, and before one is asked for.
fn length(partition: &[u8]) -> u16 {
    u16::try_from(partition.len()).unwrap_or(u16::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::RangeBounds as _;

    #[test]
    fn a_partition_holds_its_own_rows_only() {
        let whole = range(b"b", &(Bound::Unbounded, Bound::Unbounded));
        for clustering in [&b""[..], b"a", b"\xff\xff"] {
            assert!(whole.contains(&encode(b"b", clustering)), "{clustering:?}");
        }
        for other in [&b"a"[..], b"c", b"", b"ba", b"a\xff"] {
            for clustering in [&b""[..], b"b", b"\xff"] {
                assert!(!whole.contains(&encode(other, clustering)), "{other:?}");
            }
        }
    }

    #[test]
    fn the_key_after_a_prefix_carries() {
        assert_eq!(after(vec![0, 1, 7]), [0, 1, 8]);
        assert_eq!(after(vec![0, 2, 0xff, 0xff]), [0, 3]);
        let all = vec![0xff; MAX_KEY];
        let whole = range(&all, &(Bound::Unbounded, Bound::Unbounded));
        assert!(whole.contains(&encode(&all, b"\xff")));
    }

    #[test]
    fn the_clustering_key_comes_back() {
        let key = encode(b"partition", b"clustering");
        assert_eq!(clustering(&key, b"partition"), b"clustering");
    }
}
