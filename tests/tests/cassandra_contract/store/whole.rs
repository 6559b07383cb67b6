//! Batches are whole, whoever is killed.

use std::collections::BTreeMap;
use std::fs;

use super::less::{open, place};
use super::{Cassandra, Put, Scan, Store as _, kill};

/// Rows of one batch, and the partitions that they are in: more than what is written at once.
const BATCH: u64 = 600;
const PARTITIONS: u64 = 150;

const KILLS: usize = 8;

fn partition(number: u64) -> Vec<u8> {
    format!("p{number}").into_bytes()
}

fn batch(number: u64) -> Vec<Put> {
    let rows = (0..BATCH).map(|index| Put {
        table: ["t", "u"][usize::from(index % 2 == 0)],
        window: index % 3,
        partition: partition(index % PARTITIONS),
        clustering: (number * BATCH + index).to_be_bytes().to_vec(),
        value: format!("{number} {}", "x".repeat(400)).into_bytes(),
    });
    rows.collect()
}

/// Batches by the number of their rows that are there.
fn stored(store: &Cassandra) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    for number in 0..PARTITIONS {
        for (table, window) in ["t", "u"]
            .into_iter()
            .flat_map(|table| (0..3).map(move |window| (table, window)))
        {
            for row in store
                .scan(&Scan::partition(table, window, partition(number)))
                .unwrap()
            {
                let key = u64::from_be_bytes(row.clustering.try_into().unwrap());
                assert!(
                    row.value
                        .starts_with(format!("{} ", key / BATCH).as_bytes())
                );
                *found.entry(key / BATCH).or_default() += 1;
            }
        }
    }
    found
}

#[test]
fn every_acknowledged_batch_survives_kill_9_of_its_writer_and_none_is_there_in_part() {
    if let Some(dir) = kill::child_dir() {
        let store = open(&fs::read_to_string(dir.join("url")).unwrap());
        let first = stored(&store)
            .last_key_value()
            .map_or(0, |(last, _)| last + 1);
        for number in first.. {
            store.put(batch(number)).unwrap();
            kill::acknowledge(number);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let url = place();
    fs::write(dir.path().join("url"), &url).unwrap();
    for round in 0..KILLS {
        let acknowledged = kill::run_and_kill(
            "store::whole::every_acknowledged_batch_survives_kill_9_of_its_writer_and_none_is_there_in_part",
            dir.path(),
        );
        let found = stored(&open(&url));
        let lost = (0..=acknowledged).find(|number| !found.contains_key(number));
        assert_eq!(
            lost, None,
            "round {round}: lost, though {acknowledged} was acknowledged"
        );
        let torn = found.iter().find(|(_, rows)| **rows != BATCH);
        assert_eq!(torn, None, "round {round}: a part of a batch");
    }
}
