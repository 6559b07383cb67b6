//! Rows of flows: which counts are not zero (bits), those counts, the time seen, and to the end the key.

use anyhow::{Context as _, Result, ensure};

use super::bytes::{put_varint, take_varint};
use super::{VERSION, content, key};
use crate::model::{BUCKETS, Counters, EntityId, Minute, RowKey, Sum, Times, UnixMs};

/// Counts of a row: the single ones, then each bucket of the times.
const COUNTS: usize = 13 + 2 * BUCKETS;

/// The counts in the order of their bits. Never change it within a version.
fn counts(counters: &Counters) -> [u64; COUNTS] {
    let mut counts = [0; COUNTS];
    let single = [
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
        counters.resets,
        counters.bytes_retransmitted,
        counters.syn_retransmits,
    ];
    let times = counters.rtt.0.into_iter().chain(counters.connect.0);
    let all = single.into_iter().chain(times.map(u64::from));
    for (place, count) in counts.iter_mut().zip(all) {
        *place = count;
    }
    counts
}

fn counters(counts: [u64; COUNTS]) -> Counters {
    let times = |from: usize| {
        Times(std::array::from_fn(|index| {
            u32::try_from(counts[from + index]).unwrap_or(u32::MAX)
        }))
    };
    Counters {
        opened: counts[0],
        closed: counts[1],
        failed_refused: counts[2],
        failed_timed_out: counts[3],
        failed_unreachable: counts[4],
        failed_other: counts[5],
        active: counts[6],
        bytes_sent: counts[7],
        bytes_received: counts[8],
        retransmits: counts[9],
        resets: counts[10],
        bytes_retransmitted: counts[11],
        syn_retransmits: counts[12],
        rtt: times(13),
        connect: times(13 + BUCKETS),
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
    ensure!(bits < 1 << COUNTS, "a row has unknown counts {bits:#x}");
    let mut counts = [0; COUNTS];
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

    fn sum(counts: [u64; COUNTS]) -> Sum {
        Sum {
            counters: counters(counts),
            first_seen: 120_000,
            last_seen: 180_000,
        }
    }

    #[test]
    fn every_count_comes_back_by_itself() {
        let minute = Minute(2);
        let mut all: Vec<[u64; COUNTS]> = (0..COUNTS)
            .map(|index| {
                std::array::from_fn(|at| {
                    if at == index {
                        u64::from(u32::MAX) - 7
                    } else {
                        0
                    }
                })
            })
            .collect();
        all.push([0; COUNTS]);
        all.push(std::array::from_fn(|at| at as u64 + 1));
        for counts in all {
            let value = encode_row(minute, &row(), &sum(counts), &mut vec![1, 2, 3]);
            let (found, key) = decode_sum(minute, &value).unwrap();
            assert_eq!(found, sum(counts));
            assert_eq!(decode_key(key, |id| id.into()).unwrap(), row());
        }
    }

    fn usual() -> [u64; COUNTS] {
        let mut counts = [0; COUNTS];
        counts[..10].copy_from_slice(&[3, 3, 0, 0, 0, 0, 0, 900, 70_000, 0]);
        counts
    }

    #[test]
    fn a_usual_row_is_small() {
        let value = encode_row(Minute(2), &row(), &sum(usual()), &mut Vec::new());
        // Version, bits, four counts, two times; port, scope, addresses, id with the key's bits.
        assert_eq!(
            value.len(),
            1 + 2 + (1 + 1 + 2 + 3) + (1 + 3) + (1 + 2 + 8 + 4 + 16 + 12)
        );
    }

    #[test]
    fn broken_rows_are_errors_that_say_so() {
        let value = encode_row(Minute(2), &row(), &sum([1; COUNTS]), &mut Vec::new());
        for length in 0..17 {
            assert!(decode_sum(Minute(2), &value[..length]).is_err(), "{length}");
        }
        let newer = [&[9], &value[1..]].concat();
        let error = decode_sum(Minute(2), &newer).unwrap_err().to_string();
        assert!(error.contains("version 9"), "{error}");
        let mut unknown = vec![VERSION];
        put_varint(&mut unknown, 1 << COUNTS);
        unknown.extend([1, 1, 1]);
        let error = decode_sum(Minute(2), &unknown).unwrap_err().to_string();
        assert!(error.contains("unknown counts"), "{error}");
    }
}
