//! The contract, and what only a store in a folder promises.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::store::contract::contract_tests;
use crate::store::kill;

fn fresh() -> (TempDir, Embedded) {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    (dir, store)
}

contract_tests!(fresh());

fn put(table: &'static str, window: WindowId, key: u64, value: &str) -> Put {
    Put {
        table,
        window,
        partition: b"p".to_vec(),
        clustering: key.to_be_bytes().to_vec(),
        value: value.into(),
    }
}

fn refusal(dir: &Path) -> String {
    format!("{:#}", Embedded::open(dir).err().expect("refused"))
}

/// Everything below a folder with its content, to see that nothing changed.
fn content(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let content = fs::read(&path).unwrap_or_default();
            (path.display().to_string(), content)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn rows_and_windows_are_there_after_opening_again() {
    let (dir, store) = fresh();
    store
        .put((0..1000).map(|key| put("t", key % 3, key, "v")).collect())
        .unwrap();
    store.drop_window("t", 1).unwrap();
    drop(store);
    for _ in 0..2 {
        let store = Embedded::open(dir.path()).unwrap();
        assert_eq!(store.windows("t").unwrap(), [0, 2]);
        let rows = store.scan(&Scan::partition("t", 2, b"p".to_vec())).unwrap();
        assert_eq!(rows.len(), 333);
        assert_eq!(rows[0].clustering, 2_u64.to_be_bytes());
    }
}

#[test]
fn a_dropped_window_gives_its_space_back() {
    let (dir, store) = fresh();
    store
        .put(
            (0..2000)
                .map(|key| put("t", 7, key, &"v".repeat(100)))
                .collect(),
        )
        .unwrap();
    let tree = store.tree("t", 7).unwrap().path().to_owned();
    assert!(tree.starts_with(dir.path()) && tree.exists());
    store.drop_window("t", 7).unwrap();
    assert!(!tree.exists());
}

#[test]
fn a_folder_with_something_else_in_it_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
    let before = content(dir.path());
    let error = refusal(dir.path());
    assert!(
        error.contains("thesis.tex") && error.contains("empty folder"),
        "{error}"
    );
    assert_eq!(content(dir.path()), before);

    fs::write(dir.path().join("FORMAT"), "PNG").unwrap();
    let before = content(dir.path());
    let error = refusal(dir.path());
    assert!(
        error.contains("not the mark of an Insight store"),
        "{error}"
    );
    assert_eq!(content(dir.path()), before);
}

#[test]
fn a_newer_store_is_refused_and_not_touched() {
    let (dir, store) = fresh();
    drop(store);
    fs::write(dir.path().join("FORMAT"), "insight-store 2\n").unwrap();
    let before = content(dir.path());
    let error = refusal(dir.path());
    assert!(
        error.contains("format 2") && error.contains("newer version"),
        "{error}"
    );
    assert_eq!(content(dir.path()), before);
}

#[test]
fn a_store_in_use_is_refused_and_stays_usable() {
    let (dir, store) = fresh();
    let error = refusal(dir.path());
    assert!(
        error.contains(&format!("in use by process {}", std::process::id())),
        "{error}"
    );
    store.put(vec![put("t", 1, 1, "v")]).unwrap();
    drop(store);
    Embedded::open(dir.path()).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_or_written_is_refused_with_a_hint() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // Neither root may make a folder in these.
    for dir in [
        file.path().to_owned(),
        file.path().join("below"),
        "/proc/insight".into(),
    ] {
        let error = refusal(&dir);
        assert!(
            error.contains("name a folder that this user may write"),
            "{error}"
        );
    }
    // An empty folder of the kernel's, which nobody can write to.
    let error = refusal(Path::new("/proc/tty/ldisc"));
    assert!(error.contains("let this user write it"), "{error}");
}

#[test]
fn a_first_start_that_was_cut_short_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("FORMAT.new"), "insi").unwrap();
    fs::write(dir.path().join("LOCK"), "").unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    drop(Embedded::open(dir.path()).unwrap());

    // fjall's log is there, its version is not.
    let rows = dir.path().join("rows");
    fs::remove_dir_all(&rows).unwrap();
    fs::create_dir_all(rows.join("keyspaces")).unwrap();
    fs::write(rows.join("0.jnl"), "").unwrap();
    drop(Embedded::open(dir.path()).unwrap());

    // With trees, something is lost, and that is said.
    fs::remove_file(rows.join("version")).unwrap();
    let error = refusal(dir.path());
    assert!(error.contains("backup"), "{error}");
    assert!(rows.join("keyspaces").read_dir().unwrap().next().is_some());
}

/// Rows of one batch in the kill test, over two tables and two windows.
const BATCH: u64 = 400;

fn batch(number: u64) -> Vec<Put> {
    let key = |index| number * BATCH + index;
    (0..BATCH)
        .map(|index| {
            let table = ["t", "u"][usize::from(index % 2 == 0)];
            put(
                table,
                index % 4 / 2,
                key(index),
                &format!("{number} {}", "x".repeat(50)),
            )
        })
        .collect()
}

/// Batches by the number of their rows that are there.
fn stored(store: &Embedded) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    for (table, window) in [("t", 0), ("t", 1), ("u", 0), ("u", 1)] {
        let rows = store
            .scan(&Scan::partition(table, window, b"p".to_vec()))
            .unwrap();
        for row in rows {
            let key = u64::from_be_bytes(row.clustering.try_into().unwrap());
            assert!(
                row.value
                    .starts_with(format!("{} ", key / BATCH).as_bytes())
            );
            *found.entry(key / BATCH).or_default() += 1;
        }
    }
    found
}

#[test]
fn every_acknowledged_batch_survives_kill_9_and_none_is_there_in_part() {
    if let Some(dir) = kill::child_dir() {
        let store = Embedded::open(&dir).unwrap();
        let first = stored(&store)
            .last_key_value()
            .map_or(0, |(last, _)| last + 1);
        for number in first.. {
            store.put(batch(number)).unwrap();
            kill::acknowledge(number);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let acknowledged = kill::run_and_kill(
            "store::embedded::tests::every_acknowledged_batch_survives_kill_9_and_none_is_there_in_part",
            dir.path(),
        );
        let found = stored(&Embedded::open(dir.path()).unwrap());
        let lost = (0..=acknowledged).find(|number| !found.contains_key(number));
        assert_eq!(
            lost, None,
            "round {round}: lost, though {acknowledged} was acknowledged"
        );
        let torn = found.iter().find(|(_, rows)| **rows != BATCH);
        assert_eq!(torn, None, "round {round}: a part of a batch");
    }
}
