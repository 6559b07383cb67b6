//! The rows of one report: the time that they cover, then row after row, which counts are not zero (bits), those counts, and
//! the key. Most keys have a number, which mostly is the one after the row before's. A few rows have dialed addresses after it.

use anyhow::{Context as _, Result, ensure};

use super::bytes::{put_signed, put_varint, take_bytes, take_signed, take_varint};
use super::dialed::{put_dialed, take_dialed};
use super::{FULL, VERSION, content};
use crate::ledger::numbers::KeyNumber;
use crate::model::{AllDialed, BUCKETS, Counters, Dialed, Minute, Sum, Times, UnixMs};

/// Kinds of counts: the single ones, then each bucket of the times.
const COUNTS: usize = 13 + 2 * BUCKETS;

/// The bit after those of the counts: the key itself follows, with its length.
const SPELLED: u64 = 1 << COUNTS;

/// The bit after that: dialed addresses follow the key.
const DIALED: u64 = SPELLED << 1;

/// The bit after that: datagrams follow the counts, sent and received. Few rows have them.
const MESSAGES: u64 = SPELLED << 2;

/// The counts in the order of their bits; the usual ones are first. Never change it within a version.
fn counts(counters: &Counters) -> [u64; COUNTS] {
    let mut counts = [0; COUNTS];
    let single = [
        counters.opened,
        counters.closed,
        counters.bytes_sent,
        counters.bytes_received,
        counters.active,
        counters.retransmits,
        counters.failed_refused,
        counters.failed_timed_out,
        counters.failed_unreachable,
        counters.failed_other,
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
        bytes_sent: counts[2],
        bytes_received: counts[3],
        active: counts[4],
        retransmits: counts[5],
        failed_refused: counts[6],
        failed_timed_out: counts[7],
        failed_unreachable: counts[8],
        failed_other: counts[9],
        resets: counts[10],
        bytes_retransmitted: counts[11],
        syn_retransmits: counts[12],
        messages_sent: 0,
        messages_received: 0,
        rtt: times(13),
        connect: times(13 + BUCKETS),
    }
}

/// How a row says which key it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Named<'a> {
    /// By the number that its span gave the key.
    Number(KeyNumber),
    /// By the key, encoded.
    Key(&'a [u8]),
}

/// Writes the rows of one report: one value, or several when it is large.
pub(in crate::ledger) struct RowWriter {
    head: Vec<u8>,
    values: Vec<Vec<u8>>,
    /// The number that the next row's is told from.
    expected: i64,
}

impl RowWriter {
    /// Rows of a minute which were counted in this part of it.
    pub(in crate::ledger) fn new(minute: Minute, from: UnixMs, to: UnixMs) -> Self {
        let mut head = vec![VERSION];
        for at in [from, to] {
            // Both are within the minute, its end included.
            put_varint(&mut head, u64::try_from(at - minute.start()).unwrap_or(0));
        }
        Self {
            head,
            values: Vec::new(),
            expected: 0,
        }
    }

    /// Adds a row.
    pub(in crate::ledger) fn push(
        &mut self,
        key: Named<'_>,
        counters: &Counters,
        dialed: Option<&AllDialed>,
    ) {
        if self.values.last().is_none_or(|value| value.len() >= FULL) {
            self.values.push(self.head.clone());
            self.expected = 0;
        }
        let Some(to) = self.values.last_mut() else {
            return;
        };
        let counts = counts(counters);
        let bits = counts
            .iter()
            .rev()
            .fold(u64::from(matches!(key, Named::Key(_))), |bits, count| {
                bits << 1 | u64::from(*count != 0)
            });
        let messages = [counters.messages_sent, counters.messages_received];
        let has_messages = messages != [0; 2];
        let dialed = dialed.filter(|dialed| !dialed.is_empty());
        let bit = |is_set: bool, bit| if is_set { bit } else { 0 };
        put_varint(
            to,
            bits | bit(has_messages, MESSAGES) | bit(dialed.is_some(), DIALED),
        );
        for count in counts.into_iter().filter(|count| *count != 0) {
            put_varint(to, count);
        }
        for count in messages.into_iter().filter(|_| has_messages) {
            put_varint(to, count);
        }
        match key {
            Named::Number(number) => {
                put_signed(to, i64::from(number) - self.expected);
                self.expected = i64::from(number) + 1;
            }
            Named::Key(key) => {
                put_varint(to, key.len() as u64);
                to.extend_from_slice(key);
            }
        }
        if let Some(dialed) = dialed {
            put_dialed(to, dialed.iter());
        }
    }

    /// The values.
    pub(in crate::ledger) fn finish(self) -> Vec<Vec<u8>> {
        self.values
    }
}

/// Hands out the rows of a value.
pub(in crate::ledger) fn each_row(
    minute: Minute,
    value: &[u8],
    mut take: impl FnMut(Named<'_>, Sum, Vec<Dialed>) -> Result<()>,
) -> Result<()> {
    let mut rest = content(value)?;
    let mut time = || -> Result<UnixMs> {
        let offset = i64::try_from(take_varint(&mut rest)?);
        minute
            .start()
            .checked_add(offset.unwrap_or(i64::MAX))
            .context("rows have a time after the end of time")
    };
    let (first_seen, last_seen) = (time()?, time()?);
    let mut expected = 0_i64;
    while !rest.is_empty() {
        let bits = take_varint(&mut rest)?;
        ensure!(bits < MESSAGES << 1, "a row has unknown counts {bits:#x}");
        let mut counts = [0; COUNTS];
        for (index, count) in counts.iter_mut().enumerate() {
            if bits & 1 << index != 0 {
                *count = take_varint(&mut rest)?;
            }
        }
        let mut counters = counters(counts);
        if bits & MESSAGES != 0 {
            counters.messages_sent = take_varint(&mut rest)?;
            counters.messages_received = take_varint(&mut rest)?;
        }
        let key = if bits & SPELLED == 0 {
            let number = expected
                .checked_add(take_signed(&mut rest)?)
                .and_then(|number| KeyNumber::try_from(number).ok())
                .context("the number of a row's key is out of range")?;
            expected = i64::from(number) + 1;
            Named::Number(number)
        } else {
            let length = take_varint(&mut rest)?;
            Named::Key(take_bytes(&mut rest, length)?)
        };
        let sum = Sum {
            counters,
            first_seen,
            last_seen,
        };
        let dialed = match bits & DIALED {
            0 => Vec::new(),
            _ => take_dialed(&mut rest)?,
        };
        take(key, sum, dialed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Minute = Minute(2);

    fn written(rows: &[(Named<'_>, [u64; COUNTS])]) -> Vec<Vec<u8>> {
        let mut writer = RowWriter::new(MINUTE, 120_500, 180_000);
        for (key, counts) in rows {
            writer.push(*key, &counters(*counts), None);
        }
        writer.finish()
    }

    /// Reads values back and says where they differ from what was written.
    fn assert_read(values: &[Vec<u8>], rows: &[(Named<'_>, [u64; COUNTS])]) {
        let mut expected = rows.iter();
        for value in values {
            each_row(MINUTE, value, |key, sum, dialed| {
                assert_eq!(dialed, []);
                let (expected, counts) = expected.next().unwrap();
                assert_eq!((key, sum.counters), (*expected, counters(*counts)));
                assert_eq!((sum.first_seen, sum.last_seen), (120_500, 180_000));
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(expected.next(), None);
    }

    #[test]
    fn every_count_and_key_comes_back() {
        let mut rows: Vec<_> = (0..COUNTS)
            .map(|index| {
                let counts = std::array::from_fn(|at| {
                    if at == index {
                        u64::from(u32::MAX) - 7
                    } else {
                        0
                    }
                });
                (Named::Number(index as u32), counts)
            })
            .collect();
        rows.push((Named::Key(b"whole"), [0; COUNTS]));
        rows.push((Named::Number(u32::MAX), [1; COUNTS]));
        rows.push((Named::Key(b""), [7; COUNTS]));
        rows.push((Named::Number(0), [0; COUNTS]));
        let values = written(&rows);
        assert_eq!(values.len(), 1);
        assert_read(&values, &rows);
        assert!(written(&[]).is_empty());
    }

    #[test]
    fn datagrams_come_back() {
        let mut writer = RowWriter::new(MINUTE, 120_500, 180_000);
        let rows = [(7, 0), (0, 9), (0, 0), (u64::MAX, 1)].map(|(sent, received)| Counters {
            messages_sent: sent,
            messages_received: received,
            ..counters([3; COUNTS])
        });
        for row in &rows {
            writer.push(Named::Key(b"key"), row, None);
        }
        let mut read = Vec::new();
        each_row(MINUTE, &writer.finish()[0], |_, sum, _| {
            read.push(sum.counters);
            Ok(())
        })
        .unwrap();
        assert_eq!(read, rows);
    }

    #[test]
    fn many_rows_become_several_values() {
        let key = [b'k'; 300];
        let rows: Vec<_> = (0..3_000)
            .map(|row| match row % 2 {
                0 => (Named::Number(row), [u64::from(row); COUNTS]),
                _ => (Named::Key(&key), [1; COUNTS]),
            })
            .collect();
        let values = written(&rows);
        assert!(values.len() > 1);
        assert!(values.iter().all(|value| value.len() < FULL + 400));
        assert_read(&values, &rows);
    }

    #[test]
    fn dialed_addresses_follow_their_row() {
        let dialed = AllDialed::from([
            Dialed::Asked(([10, 96, 0, 1], 80).into()),
            Dialed::Asked(([10, 96, 0, 2], 80).into()),
        ]);
        let mut writer = RowWriter::new(MINUTE, 120_500, 180_000);
        let none = AllDialed::new();
        for (key, dialed) in [
            (Named::Number(3), &dialed),
            (Named::Number(4), &none),
            (Named::Key(b"k"), &dialed),
        ] {
            writer.push(key, &counters([1; COUNTS]), Some(dialed));
        }
        let value = writer.finish().remove(0);
        let mut found = Vec::new();
        each_row(MINUTE, &value, |_, _, dialed| {
            found.push(AllDialed::from_iter(dialed));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [dialed.clone(), none, dialed]);
    }

    #[test]
    fn a_usual_row_is_small() {
        let mut counts = [0; COUNTS];
        counts[..4].copy_from_slice(&[3, 3, 900, 70_000]);
        let row = |number| (Named::Number(number), counts);
        let value = written(&[row(70_000), row(70_001)]).remove(0);
        // Version, two times; bits, four counts, the number.
        assert_eq!(value.len(), 1 + 5 + (1 + 7 + 3) + (1 + 7 + 1));
    }

    #[test]
    fn broken_rows_are_errors_that_say_so() {
        let value = written(&[(Named::Key(b"key"), [1; COUNTS])]).remove(0);
        let read = |value: &[u8]| each_row(MINUTE, value, |_, _, _| Ok(()));
        read(&value).unwrap();
        // Behind version and times a value may end.
        for length in (0..value.len()).filter(|length| *length != 6) {
            assert!(read(&value[..length]).is_err(), "{length}");
        }
        let newer = [&[9], &value[1..]].concat();
        let error = read(&newer).unwrap_err().to_string();
        assert!(error.contains("version 9"), "{error}");
        let mut unknown = vec![VERSION, 0, 0];
        put_varint(&mut unknown, MESSAGES << 1);
        let error = read(&unknown).unwrap_err().to_string();
        assert!(error.contains("unknown counts"), "{error}");
        assert!(read(&[VERSION, 0, 0, 0, 1]).is_err(), "number -1");
    }
}
