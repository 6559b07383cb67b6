//! What readers get: ranges, names, totals.

use super::*;

fn commit(ledger: &Ledger, report: Report, now: UnixMs) {
    let outcomes = ledger.commit(vec![report], now).unwrap();
    assert_eq!(outcomes, [Outcome::Stored]);
}

#[test]
fn a_range_is_widened_to_minutes_but_not_past_now() {
    let (_, ledger) = ledger(START);
    for (from, to, now, expected) in [
        (
            START + 1,
            START + MINUTE,
            START + SPAN,
            (START, START + MINUTE),
        ),
        (
            START,
            START + MINUTE + 1,
            START + SPAN,
            (START, START + 2 * MINUTE),
        ),
        (START, START + MINUTE - 1, START + 7, (START, START + 7)),
        (START, START + SPAN, START + 7, (START, START + 7)),
        (START + 5, START + 5, START + SPAN, (START, START + MINUTE)),
        (
            START + 5,
            START - SPAN,
            START + SPAN,
            (START, START + MINUTE),
        ),
        (
            START + SPAN,
            START + 2 * SPAN,
            START,
            (START + SPAN, START + SPAN),
        ),
    ] {
        let window = ledger.window_at(from, to, now).unwrap();
        assert_eq!((window.from, window.to), expected);
        assert!(window.rows.is_empty());
    }
    let whole = ledger.window(i64::MIN, i64::MAX);
    assert!(whole.unwrap().to <= now_ms(), "the clock's now");
}

#[test]
fn every_row_is_named_in_every_span_and_names_are_the_newest() {
    let (store, ledger) = ledger(START);
    let row = [(key("a", 1), opened(1, 1))];
    for (sequence, minute, name) in [(1, 1, "old"), (2, 2, "new"), (3, SPAN / MINUTE + 2, "new")] {
        let to = START + minute * MINUTE;
        let mut report = report("n", sequence, to, &row);
        report.entities = vec![entity("a", name), entity("not mentioned", name)];
        commit(&ledger, report, to);
    }
    let scan =
        |span| crate::store::Scan::partition("entity", (START / SPAN) as u64 + span, Vec::new());
    assert_eq!(store.scan(&scan(0)).unwrap().len(), 2);
    assert_eq!(
        store.scan(&scan(1)).unwrap().len(),
        2,
        "again in a new span"
    );
    let cold = Ledger::open(store, RETENTION, START + 5 * SPAN).unwrap();
    for ledger in [&ledger, &cold] {
        for minute in [0, 1, SPAN / MINUTE + 1] {
            let from = START + minute * MINUTE;
            let window = ledger.window_at(from, from + MINUTE, i64::MAX).unwrap();
            assert_eq!(window.entities.len(), 1);
            assert_eq!(window.entities["a"], entity("a", "new"));
        }
    }
}

#[test]
fn a_name_that_changes_back_is_written() {
    let (store, ledger) = ledger(START);
    for (sequence, name) in [(1, "a"), (2, "b"), (3, "a"), (4, "a")] {
        let mut report = report("n", sequence, START, &[(key("x", 1), opened(1, 1))]);
        report.entities = vec![entity("x", name)];
        commit(&ledger, report, START);
    }
    let reopened = Ledger::open(store, RETENTION, START).unwrap();
    let window = reopened.window_at(START - 1, START, START).unwrap();
    assert_eq!(window.entities["x"].name, "a");
}

#[test]
fn memory_lets_go_of_minutes_when_there_are_too_many_rows() {
    let store = Arc::new(Memory::new());
    let open = |now| Ledger::open_with(store.clone(), RETENTION, now, 25).unwrap();
    let ledger = open(START);
    // 10 rows a minute, from which the entities change at the border of a span.
    let start = START - 3 * MINUTE;
    for minute in 1..=6_u16 {
        let to = start + i64::from(minute) * MINUTE;
        let rows: Vec<_> = (0..10).map(|port| (key("a", port), opened(1, 1))).collect();
        let mut report = report("n", u64::from(minute), to, &rows);
        report.entities = vec![entity("a", &format!("in {}", (to - 1) / SPAN))];
        commit(&ledger, report, to);
        let stats = ledger.stats();
        let expected = usize::from(minute.min(2));
        assert_eq!(stats.minutes_in_memory, expected, "minute {minute}");
        assert_eq!(stats.rows_in_memory, 10 * expected);
    }
    let now = start + 6 * MINUTE;
    let reopened = open(now);
    assert_eq!(reopened.stats().rows_in_memory, 20);
    let roomy = Ledger::open(store.clone(), RETENTION, now).unwrap();
    assert_eq!(roomy.stats().rows_in_memory, 60);
    for ledger in [&ledger, &reopened, &roomy] {
        let window = ledger.window_at(start, now, now).unwrap();
        assert_eq!(window.rows[&key("a", 3)].counters.opened, 6);
        let newest = format!("in {}", now / SPAN);
        assert_eq!(window.entities["a"].name, newest);
        assert_eq!(ledger.totals().entities["a"].name, newest);
    }
}

#[test]
fn totals_grow_from_the_start_of_the_process() {
    let (store, ledger) = ledger(START);
    commit(
        &ledger,
        report("n", 1, START, &[(key("a", 1), opened(2, 3))]),
        START,
    );
    let later = START + 10 * MINUTE;
    commit(
        &ledger,
        report("n", 2, later, &[(key("a", 1), opened(4, 1))]),
        later,
    );
    let totals = ledger.totals();
    let [(row, counters)] = &totals.rows[..] else {
        panic!("one row: {totals:?}");
    };
    assert_eq!(**row, key("a", 1));
    assert_eq!(counters.counters, opened(6, 1));
    assert_eq!(totals.entities["a"].name, "name");

    let reopened = Ledger::open(store, RETENTION, later).unwrap();
    assert!(reopened.totals().rows.is_empty());
    commit(
        &reopened,
        report("n", 3, later, &[(key("a", 1), opened(1, 1))]),
        later,
    );
    let totals = reopened.totals();
    assert_eq!(totals.rows[0].1.counters, opened(1, 1));
    assert!(
        totals.entities.contains_key("a"),
        "named though its entity was known before"
    );
}

#[test]
fn idle_totals_are_forgotten_and_come_back_named() {
    let (_, ledger) = ledger(START);
    let both = [(key("a", 1), opened(1, 1)), (key("b", 1), opened(1, 1))];
    commit(&ledger, report("n", 1, START, &both), START);
    let ports = |ledger: &Ledger| {
        let totals = ledger.totals();
        assert!(
            totals
                .rows
                .iter()
                .all(|(key, _)| totals.entities.contains_key(&key.local))
        );
        let mut locals: Vec<_> = totals
            .rows
            .iter()
            .map(|(key, _)| key.local.to_string())
            .collect();
        locals.sort();
        locals.concat()
    };
    for (sequence, minute, expected) in [(2, 30, "ab"), (3, 60, "ab"), (4, 66, "a")] {
        let now = START + minute * MINUTE;
        commit(&ledger, report("n", sequence, now, &both[..1]), now);
        assert_eq!(ports(&ledger), expected, "after {minute} minutes");
    }
    let now = START + 67 * MINUTE;
    commit(&ledger, report("n", 5, now, &both), now);
    assert_eq!(ports(&ledger), "ab");
}

#[test]
fn windows_older_than_the_retention_are_dropped_and_no_others() {
    let (store, ledger) = ledger(START);
    for span in 0..8 {
        let to = START + span * SPAN + MINUTE;
        let mut report = report("n", span as u64 + 1, to, &[(key("a", 1), opened(1, 1))]);
        report.metrics = vec![("a".into(), sample(to, 1))];
        commit(&ledger, report, to);
    }
    assert_eq!(ledger.stats().windows, 8);
    // The first span ends at START + 1 span, and is kept for 6 spans from there.
    assert_eq!(ledger.drop_expired(START + 7 * SPAN - 1).unwrap(), 0);
    assert_eq!(ledger.drop_expired(START + 7 * SPAN).unwrap(), 4);
    assert_eq!(ledger.drop_expired(START + 8 * SPAN).unwrap(), 4);
    assert_eq!(ledger.drop_expired(START + 8 * SPAN).unwrap(), 0);
    let stats = ledger.stats();
    assert_eq!((stats.windows, stats.counts.windows_dropped), (6, 8));
    for table in ["edge_1m", "metric_1m", "coverage_1m", "entity"] {
        assert_eq!(store.windows(table).unwrap().len(), 6, "{table}");
    }
    let all = ledger.window_at(START, START + 9 * SPAN, i64::MAX).unwrap();
    assert_eq!(all.rows[&key("a", 1)].counters.opened, 6);
    assert_eq!(ledger.durable_sequence("n", 7), 8, "sequences stay");
    ledger.drop_expired(START + 40 * SPAN).unwrap();
    let all = ledger.window_at(START, START + 9 * SPAN, i64::MAX).unwrap();
    assert!(all.rows.is_empty(), "memory lets go too");
    assert_eq!(ledger.stats().nodes, 0);
}

#[test]
fn who_reported_before_a_range_is_known_for_a_day() {
    let (store, ledger) = ledger(START);
    let hour = 60 * MINUTE;
    let (old, silent, quick) = (START + hour, START + 2 * hour, START + 25 * hour);
    commit(&ledger, report("old", 1, old, &[]), old);
    commit(&ledger, report("silent", 1, silent, &[]), silent);
    for (sequence, to) in [(1, quick), (2, quick + 20 * SECOND)] {
        commit(&ledger, report("quick", sequence, to, &[]), to);
    }
    let cold = || Ledger::open(store.clone(), RETENTION, quick + 3 * hour).unwrap();
    let names = |ledger: &Ledger, from: UnixMs| {
        let window = ledger.window_at(from, from + hour, i64::MAX).unwrap();
        let before = window.before.iter();
        before
            .map(|(node, report)| format!("{node} {}", (report.to - START) / SECOND))
            .collect::<Vec<_>>()
    };
    let second = |at: UnixMs| (at - START) / SECOND;
    for (from, expected) in [
        (old - MINUTE, vec![]),
        (old, vec![format!("old {}", second(old))]),
        (
            quick + MINUTE,
            vec![
                format!("quick {}", second(quick) + 20),
                format!("silent {}", second(silent)),
            ],
        ),
        (
            silent + 24 * hour,
            vec![format!("quick {}", second(quick) + 20)],
        ),
        (quick + 25 * hour, vec![]),
    ] {
        assert_eq!(names(&ledger, from), expected, "memory, {}", second(from));
        assert_eq!(names(&cold(), from), expected, "store, {}", second(from));
    }
}

#[test]
fn each_of_many_nodes_is_found_by_its_own_name() {
    let (store, ledger) = ledger(START);
    // Names that start with each other's, few and many of them missing from the newest minute.
    let nodes: Vec<String> = (1..=40).map(|length| "n".repeat(length)).collect();
    for (minute, node) in (0..).zip(&nodes) {
        let to = START + (minute * minute + 1) * MINUTE;
        let epochs = [to as u64, u64::MAX];
        for epoch in epochs {
            let mut report = report(node, 1, to - epochs[0].abs_diff(epoch).min(1) as i64, &[]);
            report.epoch = epoch;
            commit(&ledger, report, to);
        }
    }
    let cold = Ledger::open(store, RETENTION, START + 3 * SPAN + 3 * SPAN).unwrap();
    for (minute, last) in [(2_i64, 2_usize), (100, 10), (1_000, 32), (1_440, 38)] {
        let from = START + minute * MINUTE;
        let before = cold
            .window_at(from, from + MINUTE, i64::MAX)
            .unwrap()
            .before;
        let expected: Vec<(&String, UnixMs)> = (0..)
            .zip(&nodes)
            .map(|(minute, node)| (node, START + (minute * minute + 1) * MINUTE))
            .take(last)
            .collect();
        let found: Vec<_> = before.iter().map(|(node, last)| (node, last.to)).collect();
        assert_eq!(found, expected, "minute {minute}");
    }
}

#[test]
fn what_is_older_than_the_retention_was_not_there() {
    let store = Arc::new(Memory::new());
    let now = now_ms();
    let open =
        |hours: u64| Ledger::open(store.clone(), Duration::from_secs(hours * 3_600), now).unwrap();
    let reported = now - 90 * MINUTE;
    commit(&open(2), report("n", 1, reported, &[]), reported);
    let before = |hours| open(hours).window(now - 15 * MINUTE, now).unwrap().before;
    assert_eq!(before(2).len(), 1);
    assert!(before(1).is_empty());
}
