//! What is there after the process ended, whatever the way.

use super::*;
use crate::store::{Embedded, Put, kill};

#[test]
fn after_opening_again_everything_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let open = |now| {
        let store = Arc::new(Embedded::open(dir.path()).unwrap());
        Ledger::open(store, RETENTION, now).unwrap()
    };
    let ledger = open(START);
    let now = START + 70 * MINUTE;
    for minute in 0..=70 {
        let to = START + minute * MINUTE;
        let rows = [
            (key("a", 1), opened(1, 1)),
            (key("b", (minute % 5) as u16), opened(2, 0)),
        ];
        let mut reports = vec![
            report("m", minute as u64 + 1, to, &rows),
            report("n", minute as u64 + 9, to, &rows),
        ];
        reports[0].metrics = vec![("c".into(), sample(to, 5))];
        reports[0].entities.push(entity("c", "c"));
        ledger.commit(reports, to).unwrap();
    }
    let ranges = [(0, 71), (0, 10), (60, 71), (50, 60), (40, 65)];
    let answers = |ledger: &Ledger| {
        ranges.map(|(from, to)| {
            let (from, to) = (START + from * MINUTE, START + to * MINUTE);
            ledger.window_at(from, to, now).unwrap()
        })
    };
    let before = answers(&ledger);
    let stats = ledger.stats();
    assert_eq!(before[0].rows[&key("a", 1)].counters.opened, 140);
    drop(ledger);
    let ledger = open(now);
    for (before, after) in before.iter().zip(answers(&ledger)) {
        assert_same(before, &after);
    }
    assert_eq!(ledger.durable_sequence("m", 7), 71);
    assert_eq!(ledger.durable_sequence("n", 7), 79);
    let again = ledger.commit(
        vec![report("n", 79, now, &[]), report("n", 81, now, &[])],
        now,
    );
    assert_eq!(
        again.unwrap(),
        [Outcome::Duplicate, Outcome::Gap { expected: 80 }]
    );
    let reloaded = ledger.stats();
    assert_eq!(reloaded.rows_in_memory, stats.rows_in_memory);
    assert_eq!(reloaded.minutes_in_memory, stats.minutes_in_memory);
    assert_eq!(
        (reloaded.windows, reloaded.nodes),
        (stats.windows, stats.nodes)
    );
}

#[test]
fn a_value_of_a_newer_version_is_named_and_hides_nothing_else() {
    let (store, ledger) = ledger(START);
    for span in [0, 1, 2] {
        let to = START + span * SPAN + MINUTE;
        let rows = [(key("a", 1), opened(1, 1))];
        ledger
            .commit(vec![report("n", span as u64 + 1, to, &rows)], to)
            .unwrap();
    }
    let newer = |table| Put {
        table,
        window: (START / SPAN) as u64 + 1,
        partition: Minute::of(START + SPAN).0.to_be_bytes().to_vec(),
        clustering: [7; 16].to_vec(),
        value: vec![9, 1, 2, 3],
    };
    let window = newer("edge_1m").window;
    let both = vec![newer("edge_1m"), newer("coverage_1m")];
    store.put(both).unwrap();
    let ledger = Ledger::open(store.clone(), RETENTION, START + 2 * SPAN + MINUTE).unwrap();
    let error = ledger
        .window_at(START, START + 2 * SPAN, i64::MAX)
        .unwrap_err();
    let error = format!("{error:#}");
    for part in [
        "edge_1m",
        &window.to_string(),
        "version 9",
        "start the version that wrote it",
    ] {
        assert!(error.contains(part), "{error}");
    }
    for span in [0, 2] {
        let from = START + span * SPAN;
        let window = ledger.window_at(from, from + SPAN, i64::MAX).unwrap();
        assert_eq!(window.rows.len(), 1);
    }
    // The newest minutes are answered from memory, which would lack it, so the ledger does not start.
    let error = Ledger::open(store, RETENTION, START + SPAN + 2 * MINUTE)
        .err()
        .unwrap();
    assert!(format!("{error:#}").contains("version 9"), "{error:#}");
}

#[test]
fn keys_are_numbered_on_after_opening_again() {
    let store = Arc::new(Memory::new());
    for run in 0..3_u16 {
        let ledger = Ledger::open(store.clone(), RETENTION, START).unwrap();
        for step in 0..3 {
            let (new, sequence) = (3 * run + step, u64::from(3 * run + step) + 1);
            let rows = [(key("new", new), opened(1, 0)), (key("a", 1), opened(1, 0))];
            let outcomes = ledger.commit(vec![report("n", sequence, START, &rows)], START);
            assert_eq!(outcomes.unwrap(), [Outcome::Stored]);
        }
    }
    let later = START + 2 * SPAN;
    let cold = Ledger::open(store, RETENTION, later).unwrap();
    let window = cold.window_at(START - MINUTE, START, later).unwrap();
    assert_eq!(window.rows.len(), 10);
    for (row, sum) in window.rows.iter() {
        let expected = if *row == key("a", 1) { 9 } else { 1 };
        assert_eq!(sum.counters.opened, expected, "{row:?}");
    }
}

/// Rows of each report in the kill test.
const ROWS: u16 = 50;
const NODES: [&str; 2] = ["m", "n"];

/// A group of one report of each node; the clock moves on a second each.
fn group(sequence: u64) -> (Vec<Report>, UnixMs) {
    let to = START + sequence as i64 * SECOND;
    let rows: Vec<_> = (0..ROWS)
        .map(|port| (key("a", port), opened(1, 1)))
        .collect();
    let reports = NODES.map(|node| {
        let rows = rows.iter().cloned().map(|(mut key, counters)| {
            key.local = node.into();
            (key, counters)
        });
        report(node, sequence, to, &rows.collect::<Vec<_>>())
    });
    (reports.to_vec(), to)
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged_and_counts_nothing_twice() {
    let open = |dir: &std::path::Path, now| {
        let store = Arc::new(Embedded::open(dir).unwrap());
        Ledger::open(store, RETENTION, now).unwrap()
    };
    if let Some(dir) = kill::child_dir() {
        let ledger = open(&dir, START);
        for sequence in ledger.durable_sequence("n", 7) + 1.. {
            let (reports, now) = group(sequence);
            assert_eq!(ledger.commit(reports, now).unwrap(), [Outcome::Stored; 2]);
            kill::acknowledge(sequence);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let acknowledged = kill::run_and_kill(
            "ledger::tests::restarts::kill_9_loses_nothing_that_was_acknowledged_and_counts_nothing_twice",
            dir.path(),
        );
        let ledger = open(dir.path(), START + acknowledged as i64 * SECOND);
        let durable = ledger.durable_sequence("n", 7);
        assert!(
            durable >= acknowledged,
            "round {round}: {durable} of {acknowledged}"
        );
        assert_eq!(
            ledger.durable_sequence("m", 7),
            durable,
            "round {round}: half a group"
        );
        let window = ledger
            .window_at(START - SPAN, START + 100 * SPAN, i64::MAX)
            .unwrap();
        assert_eq!(window.rows.len(), usize::from(ROWS) * NODES.len());
        for (key, sum) in window.rows.iter() {
            assert_eq!(sum.counters.opened, durable, "round {round}: {key:?}");
        }
        assert_eq!(window.entities.len(), NODES.len());
    }
}
