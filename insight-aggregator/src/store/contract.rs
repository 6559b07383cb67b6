//! What every store promises, one test a promise; an implementation runs them all by [`contract_tests`].

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{MAX_KEY, MAX_VALUE, Put, Scan, Store};

/// Makes a test of each promise. The expression makes a pair: what has to live as long as the store, and the store, empty.
/// A store whose dropped windows are not gone at once says `all but dropping`, and tries for itself what it does.
macro_rules! contract_tests {
    (all but dropping $new:expr) => {
        $crate::store::contract::contract_tests!(@each $new;
            rows_come_in_order_of_their_clustering_key
            rows_come_backwards_when_asked
            a_limit_takes_the_first_rows
            a_range_takes_what_is_inside
            a_later_row_replaces_an_earlier_one
            partitions_tables_and_windows_are_apart
            a_batch_is_seen_wholly_or_not_at_all
            a_refused_batch_leaves_everything_as_it_was
            windows_are_listed_oldest_first
            what_does_not_exist_is_empty
            empty_keys_and_values_are_kept
            the_largest_rows_are_kept
        );
    };
    (@each $new:expr; $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                let (_alive, store) = $new;
                $crate::store::contract::$promise(&store);
            }
        )*
    };
    ($new:expr) => {
        $crate::store::contract::contract_tests!(all but dropping $new);
        $crate::store::contract::contract_tests!(@each $new; a_dropped_window_is_gone_and_can_be_made_again);
    };
}
pub(super) use contract_tests;

fn put(table: &'static str, window: u64, partition: &str, clustering: &str, value: &str) -> Put {
    Put {
        table,
        window,
        partition: partition.into(),
        clustering: clustering.into(),
        value: value.into(),
    }
}

/// One row in a partition that most promises use.
fn row(clustering: &str, value: &str) -> Put {
    put("t", 1, "p", clustering, value)
}

fn whole() -> Scan {
    Scan::partition("t", 1, b"p".to_vec())
}

/// Reads, as text: `clustering=value`.
fn read(store: &dyn Store, scan: &Scan) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let rows = store.scan(scan).unwrap();
    rows.iter()
        .map(|row| format!("{}={}", text(&row.clustering), text(&row.value)))
        .collect()
}

fn abcde(store: &dyn Store) {
    let rows = ["c", "a", "e", "b", "d"].map(|key| row(key, &key.to_uppercase()));
    store.put(rows.to_vec()).unwrap();
}

pub(super) fn rows_come_in_order_of_their_clustering_key(store: &dyn Store) {
    abcde(store);
    assert_eq!(read(store, &whole()), ["a=A", "b=B", "c=C", "d=D", "e=E"]);
    store
        .put(vec![row("b\u{0}", "1"), row("B", "2"), row("ba", "3")])
        .unwrap();
    let expected = ["B=2", "a=A", "b=B", "b\u{0}=1", "ba=3", "c=C", "d=D", "e=E"];
    assert_eq!(read(store, &whole()), expected, "bytewise, across batches");
}

pub(super) fn rows_come_backwards_when_asked(store: &dyn Store) {
    abcde(store);
    let backwards = Scan {
        reverse: true,
        ..whole()
    };
    assert_eq!(read(store, &backwards), ["e=E", "d=D", "c=C", "b=B", "a=A"]);
}

pub(super) fn a_limit_takes_the_first_rows(store: &dyn Store) {
    abcde(store);
    for (reverse, limit, expected) in [
        (false, 0, vec![]),
        (false, 2, vec!["a=A", "b=B"]),
        (true, 2, vec!["e=E", "d=D"]),
        (true, 9, vec!["e=E", "d=D", "c=C", "b=B", "a=A"]),
    ] {
        let limited = Scan {
            reverse,
            limit,
            ..whole()
        };
        assert_eq!(read(store, &limited), expected, "{limit} {reverse}");
    }
}

pub(super) fn a_range_takes_what_is_inside(store: &dyn Store) {
    use Bound::{Excluded, Included, Unbounded};
    abcde(store);
    let at = |key: &str| key.as_bytes().to_vec();
    let long = |key: &str| key.to_owned() + &"k".repeat(MAX_KEY + 1000);
    for (from, to, expected) in [
        (Included(at("b")), Included(at("d")), "b=B c=C d=D"),
        (Excluded(at("b")), Excluded(at("d")), "c=C"),
        (Included(at("bb")), Unbounded, "c=C d=D e=E"),
        (Unbounded, Excluded(at("b")), "a=A"),
        (Excluded(at("e")), Unbounded, ""),
        (Included(at("c")), Included(at("c")), "c=C"),
        (Excluded(at("c")), Included(at("c")), ""),
        (Excluded(at("c")), Excluded(at("c")), ""),
        (Included(at("d")), Included(at("b")), ""),
        (
            Included(at(&long("b"))),
            Excluded(at(&long("d"))),
            "c=C d=D",
        ),
        (Excluded(at(&long("c"))), Included(at(&long("c"))), ""),
    ] {
        let range = (from, to);
        let mut expected: Vec<&str> = expected.split_whitespace().collect();
        for reverse in [false, true] {
            let scan = Scan {
                range: range.clone(),
                reverse,
                ..whole()
            };
            assert_eq!(read(store, &scan), expected, "{range:?} {reverse}");
            expected.reverse();
        }
    }
    let one = Scan::row("t", 1, b"p".to_vec(), at("d"));
    assert_eq!(read(store, &one), ["d=D"]);
}

pub(super) fn a_later_row_replaces_an_earlier_one(store: &dyn Store) {
    store.put(vec![row("a", "1"), row("b", "1")]).unwrap();
    store.put(vec![row("a", "2")]).unwrap();
    assert_eq!(read(store, &whole()), ["a=2", "b=1"]);
    let batch = vec![row("b", "3"), row("a", "3"), row("b", "4"), row("b", "5")];
    store.put(batch).unwrap();
    assert_eq!(read(store, &whole()), ["a=3", "b=5"], "in one batch too");
}

pub(super) fn partitions_tables_and_windows_are_apart(store: &dyn Store) {
    let rows = vec![
        put("t", 1, "p", "k", "here"),
        put("t", 1, "pk", "", "partition"),
        put("t", 1, "", "pk", "empty partition"),
        put("t", 2, "p", "k", "window"),
        put("u", 1, "p", "k", "table"),
    ];
    store.put(rows.clone()).unwrap();
    for expected in rows {
        let scan = Scan::partition(expected.table, expected.window, expected.partition.clone());
        let found = store.scan(&scan).unwrap();
        assert_eq!(found.len(), 1, "{expected:?}");
        assert_eq!(found[0].clustering, expected.clustering);
        assert_eq!(found[0].value, expected.value);
    }
}

/// A writer writes a generation of rows at a time into a partition and a new one beside it; readers must never see two
/// generations in one read. Enough is written for an implementation's background work to run meanwhile.
pub(super) fn a_batch_is_seen_wholly_or_not_at_all(store: &dyn Store) {
    const ROWS: usize = 500;
    const GENERATIONS: usize = 60;
    // A busy machine may let a reader begin late.
    const MOST: usize = 50 * GENERATIONS;
    let done = AtomicBool::new(false);
    let seen = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let all_saw = || seen.iter().all(|seen| seen.load(Ordering::Relaxed) > 0);
    let padding = "x".repeat(600);
    let write = || {
        for generation in 0..MOST {
            let value = format!("{generation} {padding}");
            let batch = (0..ROWS).map(|key| row(&format!("{key:04}"), &value));
            store.put(batch.collect()).unwrap();
            if generation + 1 >= GENERATIONS && all_saw() {
                return;
            }
        }
    };
    let look = |seen: &AtomicUsize| {
        while !done.load(Ordering::Relaxed) {
            let rows = store.scan(&whole()).unwrap();
            assert!(
                rows.is_empty() || rows.len() == ROWS,
                "{} of {ROWS} rows",
                rows.len()
            );
            if let Some(first) = rows.first() {
                let torn = rows.iter().position(|row| row.value != first.value);
                assert_eq!(torn, None, "two generations in one read");
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let readers = seen.each_ref().map(|seen| scope.spawn(|| look(seen)));
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(write));
        done.store(true, Ordering::Relaxed);
        written.unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert!(all_saw(), "readers read: {seen:?}");
}

pub(super) fn a_refused_batch_leaves_everything_as_it_was(store: &dyn Store) {
    abcde(store);
    let long = "k".repeat(MAX_KEY);
    for refused in [
        put("t", 1, "p", &long, "key too long"),
        put("t", 1, "p", "value", &"v".repeat(MAX_VALUE + 1)),
        put("No Table", 1, "p", "k", "bad name"),
    ] {
        let error = store.put(vec![row("a", "new"), row("f", "new"), refused]);
        assert!(error.is_err());
        assert_eq!(read(store, &whole()), ["a=A", "b=B", "c=C", "d=D", "e=E"]);
    }
}

pub(super) fn windows_are_listed_oldest_first(store: &dyn Store) {
    for window in [10, 9, 100, u64::MAX, 0] {
        store.put(vec![put("t", window, "p", "k", "v")]).unwrap();
    }
    store.put(vec![put("t_2", 5, "p", "k", "v")]).unwrap();
    assert_eq!(store.windows("t").unwrap(), [0, 9, 10, 100, u64::MAX]);
    assert_eq!(store.windows("t_2").unwrap(), [5]);
}

pub(super) fn a_dropped_window_is_gone_and_can_be_made_again(store: &dyn Store) {
    store
        .put(vec![
            row("old", "1"),
            put("t", 2, "p", "k", "stays"),
            put("u", 1, "p", "k", "stays"),
        ])
        .unwrap();
    store.drop_window("t", 1).unwrap();
    store.drop_window("t", 1).unwrap();
    assert_eq!(read(store, &whole()), [""; 0]);
    assert_eq!(store.windows("t").unwrap(), [2]);
    for (table, window) in [("t", 2), ("u", 1)] {
        let scan = Scan::partition(table, window, b"p".to_vec());
        assert_eq!(read(store, &scan), ["k=stays"]);
    }
    store.put(vec![row("new", "2")]).unwrap();
    assert_eq!(read(store, &whole()), ["new=2"]);
    assert_eq!(store.windows("t").unwrap(), [1, 2]);
}

pub(super) fn what_does_not_exist_is_empty(store: &dyn Store) {
    assert!(store.windows("t").unwrap().is_empty());
    assert_eq!(read(store, &whole()), [""; 0]);
    store.drop_window("t", 1).unwrap();
    store.put(Vec::new()).unwrap();
    abcde(store);
    let unknown = [
        Scan::partition("t", 2, b"p".to_vec()),
        Scan::partition("t", 1, b"q".to_vec()),
        Scan::partition("t", 1, vec![0xff; MAX_KEY + 1000]),
        Scan::partition("u", 1, b"p".to_vec()),
        Scan::row("t", 1, b"p".to_vec(), b"z".to_vec()),
    ];
    for scan in unknown {
        assert_eq!(read(store, &scan), [""; 0]);
    }
    assert_eq!(store.windows("t").unwrap(), [1], "reading makes no window");
}

pub(super) fn empty_keys_and_values_are_kept(store: &dyn Store) {
    store
        .put(vec![
            put("t", 1, "", "", "v"),
            put("t", 1, "", "k", ""),
            put("t", 1, "p", "", ""),
        ])
        .unwrap();
    let nameless = Scan::partition("t", 1, Vec::new());
    assert_eq!(read(store, &nameless), ["=v", "k="]);
    assert_eq!(read(store, &whole()), ["="]);
}

pub(super) fn the_largest_rows_are_kept(store: &dyn Store) {
    let key = "k".repeat(MAX_KEY - 1);
    let value: String = ('a'..='z').cycle().take(MAX_VALUE).collect();
    let batch = vec![row("a", &value), row(&key, "v"), row("small", "v")];
    store.put(batch).unwrap();
    let rows = store.scan(&whole()).unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].value == value.as_bytes());
    assert!(rows[1].clustering == key.as_bytes());
}
