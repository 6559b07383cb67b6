//! Rows of an address that changed hands.

use std::collections::HashMap;
use std::net::IpAddr;

use super::*;
use crate::model::Dialed;

#[test]
fn rows_are_kept_apart_where_an_address_changed_hands() {
    let to: IpAddr = [10, 0, 0, 2].into();
    let changed = START + 2 * MINUTE + 10 * SECOND;
    let eras = Eras::new(HashMap::from([(to, vec![changed])]));
    let asked = Dialed::Asked(([10, 96, 0, 1], 80).into());
    let opened_in = |window: &Window| -> Vec<(u16, u64, bool)> {
        let rows = window.rows.iter();
        let dialed = |key| window.dialed.contains_key(key);
        let mut rows: Vec<_> = rows
            .map(|(key, sum)| (key.era, sum.counters.opened, dialed(key)))
            .collect();
        rows.sort_unstable();
        rows
    };
    // From memory, and long after from the store.
    for now in [START + 5 * MINUTE, START + 2 * SPAN] {
        let (store, ledger) = ledger(START);
        for minute in 0..5 {
            let row = [(key("a", 1), opened(1 << minute, 1))];
            let to = START + minute * MINUTE + 30 * SECOND;
            let mut report = report("n", minute.unsigned_abs() + 1, to, &row);
            report.dialed = vec![(0, asked)];
            assert_eq!(ledger.commit(vec![report], to).unwrap(), [Outcome::Stored]);
        }
        let ledger = Ledger::open(store, RETENTION, now).unwrap();
        let end = START + 5 * MINUTE;
        let apart = ledger.window_in(START, end, now, &eras).unwrap();
        // Minutes 0 and 1; the minute of the change; minutes 3 and 4.
        assert_eq!(
            opened_in(&apart),
            [(0, 3, true), (1, 4, true), (2, 24, true)]
        );
        let together = ledger.window_at(START, end, now).unwrap();
        assert_eq!(opened_in(&together), [(0, 31, true)]);
    }
}

#[test]
fn totals_are_kept_apart_from_when_it_is_known() {
    let to: IpAddr = [10, 0, 0, 2].into();
    let changed = START + 2 * MINUTE + 10 * SECOND;
    let (_, ledger) = ledger(START);
    let dialed = Dialed::Asked(([10, 96, 0, 1], 80).into());
    for minute in 0..5 {
        let row = [(key("a", 1), opened(1 << minute, 1))];
        let to_ms = START + minute * MINUTE + 30 * SECOND;
        let mut report = report("n", minute.unsigned_abs() + 1, to_ms, &row);
        report.dialed = vec![(0, dialed)];
        if minute == 3 {
            ledger.split_totals(Eras::new(HashMap::from([(to, vec![changed])])));
        }
        assert_eq!(
            ledger.commit(vec![report], to_ms).unwrap(),
            [Outcome::Stored]
        );
    }
    let totals = ledger.totals();
    let mut rows: Vec<(u16, u64, i64)> = totals
        .rows
        .iter()
        .map(|(key, sum)| (key.era, sum.counters.opened, sum.last_seen - START))
        .collect();
    rows.sort_unstable();
    let half = 30 * SECOND;
    assert_eq!(
        rows,
        [(0, 7, 2 * MINUTE + half), (2, 24, 4 * MINUTE + half)]
    );
    assert_eq!(totals.dialed.len(), 2);
    assert!(totals.eras.has(to));
}
