//! The contract, and its exceptions.

use std::sync::Mutex;
use std::time::Duration;

use insight_tests::cassandra::{RETENTION, shared};

use super::contract::contract_tests;
use super::{Access, Cassandra, Put, Scan, Schema, Store as _, Table};

/// The tables of the contract.
pub(super) const TABLES: [Table; 3] = {
    const fn table(name: &'static str) -> Table {
        Table {
            name,
            overwritten: false,
        }
    }
    [table("t"), table("u"), table("t_2")]
};

/// An empty place in the node that tests share.
pub(super) fn place() -> String {
    static APPLIED: Mutex<bool> = Mutex::new(false);
    let url = shared().unwrap().replace("/tests", "/contract");
    let mut applied = APPLIED.lock().unwrap();
    if !*applied {
        let schema = Schema::new(&TABLES, RETENTION, "1".parse().unwrap());
        schema.apply(&url, &Access::default()).unwrap();
        *applied = true;
    }
    url
}

pub(super) fn open(url: &str) -> Cassandra {
    Cassandra::open(url, &Access::default(), &TABLES, Duration::from_secs(3600)).unwrap()
}

contract_tests!(all but dropping ((), open(&place())));

fn put(window: u64, partition: &str, clustering: &str, value: &str) -> Put {
    Put {
        table: "t",
        window,
        partition: partition.into(),
        clustering: clustering.into(),
        value: value.into(),
    }
}

fn read(store: &Cassandra, window: u64, partition: &str) -> Vec<String> {
    let rows = store
        .scan(&Scan::partition("t", window, partition.into()))
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    rows.into_iter()
        .map(|row| format!("{}={}", text(row.clustering), text(row.value)))
        .collect()
}

#[test]
fn a_dropped_window_is_unseen_and_its_rows_are_back_when_it_is_made_again() {
    let url = place();
    let store = open(&url);
    store
        .put(vec![put(1, "p", "old", "1"), put(2, "p", "k", "stays")])
        .unwrap();
    for _ in 0..2 {
        store.drop_window("t", 1).unwrap();
        assert_eq!(read(&store, 1, "p"), [""; 0]);
        assert_eq!(store.windows("t").unwrap(), [2]);
    }
    assert_eq!(open(&url).windows("t").unwrap(), [2], "for others, too");
    store.put(vec![put(1, "p", "new", "2")]).unwrap();
    assert_eq!(store.windows("t").unwrap(), [1, 2]);
    assert_eq!(
        read(&store, 1, "p"),
        ["new=2", "old=1"],
        "nothing is ever deleted"
    );
}

#[test]
fn rows_and_windows_are_there_after_opening_again() {
    let url = place();
    open(&url)
        .put(
            (0..3000)
                .map(|row| put(row % 3, "p", &format!("{row:04}"), "v"))
                .collect(),
        )
        .unwrap();
    let store = open(&url);
    assert_eq!(store.windows("t").unwrap(), [0, 1, 2]);
    let rows = read(&store, 2, "p");
    assert_eq!((rows.len(), rows[0].as_str()), (1000, "0002=v"));
}

#[test]
fn more_rows_than_a_page_come_in_order_both_ways() {
    let store = open(&place());
    store
        .put(
            (0..2500)
                .map(|row| put(1, "p", &format!("{row:04}"), "v"))
                .collect(),
        )
        .unwrap();
    let mut rows = read(&store, 1, "p");
    assert!(rows.len() == 2500 && rows.is_sorted());
    let scan = Scan {
        reverse: true,
        limit: 1200,
        ..Scan::partition("t", 1, b"p".to_vec())
    };
    let backwards = store.scan(&scan).unwrap();
    rows.reverse();
    let keys = backwards
        .iter()
        .map(|row| format!("{}=v", String::from_utf8_lossy(&row.clustering)));
    assert!(keys.eq(rows.into_iter().take(1200)));
}

#[test]
fn clusters_of_one_keyspace_do_not_see_each_other() {
    let (one, other) = (open(&place()), open(&place()));
    one.put(vec![put(1, "p", "k", "one")]).unwrap();
    assert_eq!(read(&other, 1, "p"), [""; 0]);
    assert!(other.windows("t").unwrap().is_empty());
}

#[test]
fn two_writers_may_write_the_same_rows() {
    let url = place();
    let stores = ["a", "b"].map(|writer| open(&format!("{url}&writer={writer}")));
    let batch = || {
        (0..200)
            .map(|row| put(row % 2, &format!("p{}", row % 7), &format!("{row:04}"), "v"))
            .collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| store.put(batch()).unwrap());
        }
    });
    for store in &stores {
        let rows = (0..7).flat_map(|part| {
            (0..2).flat_map(move |window| read(store, window, &format!("p{part}")))
        });
        assert_eq!(rows.count(), 200);
    }
}
