//! Rows of flows: which counts are not zero (bits), those counts, the time seen, and to the end the key.

use anyhow::{Context as _, Result, ensure};

use super::bytes::{put_varint, take_varint};
use super::{VERSION, content, key};
use crate::model::{Counters, EntityId, Minute, RowKey, Sum, UnixMs};

/// The counts in the order of their bits. Never change it within a version.
fn counts(counters: &Counters) -> [u64; 10] {
    [
        counters.opened,
        counters.closed,
        counters.failed_refused,
        counters.failed_timed_out,
        counters.failed_unreachable,
        counters.failed_other,
        counters.active,
        counters.bytes_sent,
        counters.bytes_received,
        counters.retransmits,
    ]
}

fn counters(counts: [u64; 10]) -> Counters {
    let [
        opened,
        closed,
        failed_refused,
        failed_timed_out,
        failed_unreachable,
        failed_other,
        active,
        bytes_sent,
        bytes_received,
        retransmits,
    ] = counts;
    Counters {
        opened,
        closed,
        failed_refused,
        failed_timed_out,
        failed_unreachable,
        failed_other,
        active,
        bytes_sent,
        bytes_received,
        retransmits,
    }
}

/// The value of a row of a minute. `buffer` is only there to be used again.
pub(in crate::ledger) fn encode_row(
    minute: Minute,
    row: &RowKey,
    sum: &Sum,
    buffer: &mut Vec<u8>,
) -> Vec<u8> {
    buffer.clear();
    buffer.push(VERSION);
    let counts = counts(&sum.counters);
    let bits = counts
        .iter()
        .rev()
        .fold(0, |bits, count| bits << 1 | u64::from(*count != 0));
    put_varint(buffer, bits);
    for count in counts.into_iter().filter(|count| *count != 0) {
        put_varint(buffer, count);
    }
    for at in [sum.first_seen, sum.last_seen] {
        // Both are within the minute, its end included.
        put_varint(buffer, u64::try_from(at - minute.start()).unwrap_or(0));
    }
    key::encode(row, buffer);
    buffer.as_slice().to_vec()
}

/// The counts of a row, and its key as bytes.
pub(in crate::ledger) fn decode_sum(minute: Minute, value: &[u8]) -> Result<(Sum, &[u8])> {
    let mut rest = content(value)?;
    let bits = take_varint(&mut rest)?;
    ensure!(bits < 1 << 10, "a row has unknown counts {bits:#x}");
    let mut counts = [0; 10];
    for (index, count) in counts.iter_mut().enumerate() {
        if bits & 1 << index != 0 {
            *count = take_varint(&mut rest)?;
        }
    }
    let mut time = || -> Result<UnixMs> {
        let offset = i64::try_from(take_varint(&mut rest)?);
        minute
            .start()
            .checked_add(offset.unwrap_or(i64::MAX))
            .context("a row has a time after the end of time")
    };
    let sum = Sum {
        counters: counters(counts),
        first_seen: time()?,
        last_seen: time()?,
    };
    Ok((sum, rest))
}

/// The key of a row, from what [`decode_sum`] left.
pub(in crate::ledger) fn decode_key(
    bytes: &[u8],
    intern: impl FnOnce(&str) -> EntityId,
) -> Result<RowKey> {
    key::decode(bytes, intern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Protocol, Side};

    fn row() -> RowKey {
        RowKey {
            side: Side::Server,
            local: "container:3f".into(),
            local_addr: [127, 0, 0, 1].into(),
            remote_addr: [1; 16].into(),
            port: 80,
            protocol: Protocol::Tcp,
            scope: 3,
        }
    }

    fn sum(counts: [u64; 10]) -> Sum {
        Sum {
            counters: counters(counts),
            first_seen: 120_000,
            last_seen: 180_000,
        }
    }

    #[test]
    fn every_count_comes_back_by_itself() {
        let minute = Minute(2);
        let mut all: Vec<[u64; 10]> = (0..10)
            .map(|index| std::array::from_fn(|at| if at == index { u64::MAX - 7 } else { 0 }))
            .collect();
        all.push([0; 10]);
        all.push(std::array::from_fn(|at| at as u64 + 1));
        for counts in all {
            let value = encode_row(minute, &row(), &sum(counts), &mut vec![1, 2, 3]);
            let (found, key) = decode_sum(minute, &value).unwrap();
            assert_eq!(found, sum(counts));
            assert_eq!(decode_key(key, |id| id.into()).unwrap(), row());
        }
    }

    #[test]
    fn a_usual_row_is_small() {
        let value = encode_row(
            Minute(2),
            &row(),
            &sum([3, 3, 0, 0, 0, 0, 0, 900, 70_000, 0]),
            &mut Vec::new(),
        );
        // Version, bits, four counts, two times; port, scope, addresses, id with the key's bits.
        assert_eq!(
            value.len(),
            1 + 2 + (1 + 1 + 2 + 3) + (1 + 3) + (1 + 2 + 8 + 4 + 16 + 12)
        );
    }

    #[test]
    fn broken_rows_are_errors_that_say_so() {
        let value = encode_row(Minute(2), &row(), &sum([1; 10]), &mut Vec::new());
        for length in 0..17 {
            assert!(decode_sum(Minute(2), &value[..length]).is_err(), "{length}");
        }
        let newer = [&[9], &value[1..]].concat();
        let error = decode_sum(Minute(2), &newer).unwrap_err().to_string();
        assert!(error.contains("version 9"), "{error}");
        let unknown = [VERSION, 0x80, 0x08, 1, 1, 1];
        assert!(
            decode_sum(Minute(2), &unknown).is_err(),
            "an eleventh count"
        );
    }
}
