//! What a commit does: which reports count, to which minute, and all or nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::store::{Put, Row, Scan, WindowId};

/// A store that counts its writes, and fails them when told to.
#[derive(Default)]
struct Moody {
    inner: Memory,
    writes: AtomicUsize,
    fails: AtomicBool,
}

impl Store for Moody {
    fn put(&self, batch: Vec<Put>) -> Result<()> {
        anyhow::ensure!(!self.fails.load(Ordering::Relaxed), "the disk is full");
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.put(batch)
    }
    fn scan(&self, scan: &Scan) -> Result<Vec<Row>> {
        self.inner.scan(scan)
    }
    fn windows(&self, table: &'static str) -> Result<Vec<WindowId>> {
        self.inner.windows(table)
    }
    fn drop_window(&self, table: &'static str, window: WindowId) -> Result<()> {
        self.inner.drop_window(table, window)
    }
}

fn sum_of(ledger: &Ledger, key: &RowKey, from: UnixMs, to: UnixMs) -> Counters {
    let window = ledger.window_at(from, to, i64::MAX).unwrap();
    let mut rows = window.rows.iter();
    let row = rows.find(|(known, _)| *known == key);
    row.map(|(_, sum)| sum.counters).unwrap_or_default()
}

#[test]
fn a_report_counts_once_and_in_its_turn() {
    let (_, ledger) = ledger(START);
    let row = [(key("a", 1), opened(1, 1))];
    let commit = |sequences: &[u64]| {
        let reports = sequences
            .iter()
            .map(|sequence| report("n", *sequence, START, &row));
        ledger.commit(reports.collect(), START).unwrap()
    };
    use Outcome::{Duplicate, Gap, Stored};
    assert_eq!(
        commit(&[5, 5, 6, 8]),
        [Stored, Duplicate, Stored, Gap { expected: 7 }]
    );
    assert_eq!(commit(&[6, 8, 7]), [Duplicate, Gap { expected: 7 }, Stored]);
    assert_eq!(commit(&[]), []);
    assert_eq!(sum_of(&ledger, &key("a", 1), START - 1, START).opened, 3);
    assert_eq!(ledger.durable_sequence("n", 7), 7);
    assert_eq!(ledger.durable_sequence("n", 8), 0);
    assert_eq!(ledger.durable_sequence("m", 7), 0);
    let counts = ledger.stats().counts;
    assert_eq!(
        (counts.reports, counts.duplicates, counts.gaps, counts.rows),
        (3, 2, 2, 3)
    );
    assert_eq!(counts.commits, 2, "a commit of nothing writes nothing");
}

#[test]
fn a_report_that_ends_on_a_border_belongs_to_the_minute_before() {
    let (_, ledger) = ledger(START);
    let border = START + MINUTE;
    let rows = |port| [(key("a", port), opened(1, 0))];
    let reports = vec![
        report("n", 1, border, &rows(1)),
        report("n", 2, border + 1, &rows(2)),
    ];
    ledger.commit(reports, border + 1).unwrap();
    let before = ledger.window_at(START, border, i64::MAX).unwrap();
    let after = ledger.window_at(border, border + 1, i64::MAX).unwrap();
    assert_eq!(
        before.rows.keys().map(|key| key.port).collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(
        after.rows.keys().map(|key| key.port).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!((after.from, after.to), (border, border + MINUTE));
    let seen = after.rows[&key("a", 2)];
    assert_eq!(
        (seen.first_seen, seen.last_seen),
        (border, border + 1),
        "not before its minute"
    );
    let seen = before.rows[&key("a", 1)];
    assert_eq!(
        (seen.first_seen, seen.last_seen),
        (border - 5 * SECOND, border)
    );
}

#[test]
fn active_adds_within_a_report_and_is_replaced_by_the_next() {
    let (_, ledger) = ledger(START);
    let row = key("a", 1);
    let twice = [(row.clone(), opened(2, 3)), (row.clone(), opened(4, 5))];
    ledger
        .commit(vec![report("n", 1, START, &twice)], START)
        .unwrap();
    let sum = sum_of(&ledger, &row, START - 1, START);
    assert_eq!((sum.opened, sum.active, sum.bytes_sent), (6, 8, 600));
    let reports = vec![
        report("n", 2, START, &twice),
        report("n", 3, START, &[(row.clone(), opened(1, 2))]),
    ];
    ledger.commit(reports, START).unwrap();
    let sum = sum_of(&ledger, &row, START - 1, START);
    assert_eq!((sum.opened, sum.active), (13, 2));
    let (_, total) = &ledger.totals().rows[0];
    assert_eq!(
        (total.counters.opened, total.counters.active),
        (13, 2),
        "totals alike"
    );
}

#[test]
fn a_row_that_only_lives_on_is_kept() {
    let (_, ledger) = ledger(START);
    let idle = Counters {
        active: 1,
        ..Counters::default()
    };
    ledger
        .commit(vec![report("n", 1, START, &[(key("a", 1), idle)])], START)
        .unwrap();
    assert_eq!(sum_of(&ledger, &key("a", 1), START - 1, START), idle);
}

#[test]
fn a_group_is_one_write_and_a_failed_write_changes_nothing() {
    let store = Arc::new(Moody::default());
    let ledger = Ledger::open(store.clone(), RETENTION, START).unwrap();
    let changes = ledger.changes();
    let group = |sequence| -> Vec<Report> {
        ["m", "n", "o"]
            .map(|node| report(node, sequence, START, &[(key(node, 1), opened(1, 1))]))
            .to_vec()
    };
    ledger.commit(group(1), START).unwrap();
    assert_eq!(store.writes.load(Ordering::Relaxed), 1);
    assert_eq!(*changes.borrow(), 1);

    let all = |ledger: &Ledger| ledger.window_at(START - SPAN, START + SPAN, START).unwrap();
    let (before, stats) = (all(&ledger), ledger.stats());
    store.fails.store(true, Ordering::Relaxed);
    let error = ledger.commit(group(2), START).unwrap_err();
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert_same(&all(&ledger), &before);
    assert_eq!(ledger.stats(), stats);
    assert_eq!(ledger.durable_sequence("n", 7), 1);
    assert_eq!(ledger.totals().rows[0].1.counters.opened, 1);
    assert_eq!(*changes.borrow(), 1);

    store.fails.store(false, Ordering::Relaxed);
    assert_eq!(
        ledger.commit(group(2), START).unwrap(),
        [Outcome::Stored; 3]
    );
    assert_eq!(sum_of(&ledger, &key("n", 1), START - 1, START).opened, 2);
    assert_eq!(*changes.borrow(), 2);
    ledger.commit(group(2), START).unwrap();
    assert_eq!(*changes.borrow(), 2, "duplicates change nothing");
    assert_eq!(store.writes.load(Ordering::Relaxed), 2);
}

#[test]
fn late_reports_are_dropped_but_acknowledged() {
    let now = START + 10 * SPAN;
    let (store, ledger) = ledger(now);
    let row = [(key("a", 1), opened(1, 1)), (key("b", 1), opened(1, 1))];
    let oldest = now - 6 * SPAN + 1;
    let reports = vec![
        report("n", 1, oldest - 1, &row),
        report("n", 2, oldest, &row),
    ];
    assert_eq!(ledger.commit(reports, now).unwrap(), [Outcome::Stored; 2]);
    assert_eq!(ledger.durable_sequence("n", 7), 2);
    assert_eq!(sum_of(&ledger, &key("a", 1), START, now).opened, 1);
    let counts = ledger.stats().counts;
    assert_eq!(
        (counts.late_reports, counts.late_rows, counts.rows),
        (1, 2, 2)
    );
    assert_eq!(
        ledger.drop_expired(now).unwrap(),
        0,
        "what is stored is not expired"
    );
    assert_eq!(store.windows("edge_1m").unwrap().len(), 1);
}

#[test]
fn a_late_report_adds_to_a_minute_that_left_memory() {
    let (_, ledger) = ledger(START);
    let row = [(key("a", 1), opened(1, 1))];
    let mut first = report("n", 1, START, &row);
    first.metrics = vec![("a".into(), sample(START - 2, 1))];
    ledger.commit(vec![first], START).unwrap();
    let now = START + 40 * MINUTE;
    let mut late = report("n", 2, START - SECOND, &row);
    late.metrics = vec![("a".into(), sample(START - 3, 2))];
    let later = report("n", 3, START - SECOND, &row);
    ledger.commit(vec![report("m", 1, now, &[])], now).unwrap();
    ledger.commit(vec![late, later], now).unwrap();
    let window = ledger.window_at(START - MINUTE, START, now).unwrap();
    let sum = window.rows[&key("a", 1)];
    assert_eq!(sum.counters.opened, 3);
    assert_eq!((sum.first_seen, sum.last_seen), (START - 6 * SECOND, START));
    assert_eq!(
        window.metrics["a"],
        sample(START - 2, 1),
        "the newest sample stays"
    );
    assert_eq!(window.coverage["n"].len(), 3);
}

#[test]
fn a_clock_ahead_is_taken_as_now() {
    let (_, ledger) = ledger(START);
    let row = [(key("a", 1), opened(1, 1))];
    let reports = vec![
        report("n", 1, START + 5 * SECOND, &row),
        report("n", 2, START + 5 * SECOND + 1, &row),
        report("n", 3, START + 400 * SPAN, &row),
    ];
    ledger.commit(reports, START).unwrap();
    assert_eq!(ledger.stats().counts.future_reports, 2);
    assert_eq!(sum_of(&ledger, &key("a", 1), START - 1, START).opened, 2);
    assert_eq!(sum_of(&ledger, &key("a", 1), START, START + 1).opened, 1);
    let all = ledger
        .window_at(START - SPAN, START + 500 * SPAN, i64::MAX)
        .unwrap();
    let from_clamped = all.coverage["n"]
        .iter()
        .all(|coverage| coverage.from <= coverage.to);
    assert!(from_clamped, "{:?}", all.coverage);
}

#[test]
fn coverage_of_one_minute_is_bounded() {
    let (_, ledger) = ledger(START);
    let reports =
        (1..=700).map(|sequence| report("n", sequence, START - 700 + sequence as i64, &[]));
    ledger.commit(reports.collect(), START).unwrap();
    let window = ledger.window_at(START - MINUTE, START, START).unwrap();
    let coverage = &window.coverage["n"];
    assert_eq!(coverage.len(), 600);
    assert_eq!(coverage.last().unwrap().to, START);
    assert_eq!(ledger.stats().counts.coverages_joined, 100);
}
