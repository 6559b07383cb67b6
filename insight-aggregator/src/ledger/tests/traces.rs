//! The rows of a few ends, without reading all others.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::{Put, Row, Scan, WindowId};

/// Counts the rows of flows that are read.
#[derive(Default)]
struct Counting {
    inner: Memory,
    read: AtomicUsize,
}

impl Store for Counting {
    fn put(&self, batch: Vec<Put>) -> Result<()> {
        self.inner.put(batch)
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>> {
        let rows = self.inner.scan(scan)?;
        if scan.table == tables::EDGES && scan.partition.len() == 8 {
            self.read.fetch_add(rows.len(), Ordering::Relaxed);
        }
        Ok(rows)
    }

    fn windows(&self, table: &'static str) -> Result<Vec<WindowId>> {
        self.inner.windows(table)
    }

    fn drop_window(&self, table: &'static str, window: WindowId) -> Result<()> {
        self.inner.drop_window(table, window)
    }
}

const NODES: usize = 20;

fn of_node(node: usize, port: u16) -> RowKey {
    RowKey {
        local_addr: [10, 1, 0, u8::try_from(node).unwrap()].into(),
        ..key(&format!("container:{node}"), port)
    }
}

/// An hour in which every node reports each minute, to 40 minutes ago, which memory does not hold any more, and one report of now.
fn filled(store: Arc<Counting>, now: UnixMs) -> Ledger {
    let ledger = Ledger::open(store, Duration::from_millis(SPAN.unsigned_abs() * 6), now).unwrap();
    let ends = (40..100).rev().chain([0]).map(|ago| now - ago * MINUTE);
    for (sequence, to) in (1..).zip(ends) {
        let reports = (0..NODES).map(|node| {
            let rows = [
                (of_node(node, 80), opened(1 + sequence, 0)),
                (of_node(node, 81), opened(1, 0)),
            ];
            let mut report = report(&format!("n{node:02}"), sequence, to, &rows);
            report.entities[0].node = format!("n{node:02}");
            report
        });
        // As the clock was when they came, so that memory lets go of them.
        ledger.commit(reports.collect(), to).unwrap();
    }
    ledger
}

#[test]
fn what_is_wanted_is_what_a_window_has_of_it() {
    let store = Arc::new(Counting::default());
    let now = now_ms();
    let ledger = filled(Arc::clone(&store), now);
    let mut trace = ledger.trace().unwrap();
    let spans = trace.spans();
    let locals: HashSet<_> = [Arc::from("container:1")].into();
    for (from, _) in &spans {
        let outline = trace.outline(*from).unwrap();
        trace.want(&outline, locals.clone());
    }
    let step = 10 * MINUTE;
    let mut minutes = 0;
    store.read.store(0, Ordering::Relaxed);
    let mut parts = Vec::new();
    let mut at = (now - 100 * MINUTE).div_euclid(step) * step;
    while at < now {
        parts.push((at, trace.window(at, at + step, &Eras::default()).unwrap()));
        at += step;
        minutes += 10;
    }
    let read = store.read.load(Ordering::Relaxed);
    assert!(
        read > 0 && read <= minutes,
        "{read} reports of {minutes} minutes"
    );
    let mut found = 0;
    for (at, part) in parts {
        let whole = ledger.window(at, at + step).unwrap();
        let wanted = whole
            .rows
            .iter()
            .filter(|(key, _)| &*key.local == "container:1");
        let wanted: Vec<_> = wanted.collect();
        assert_eq!(part.rows.len(), wanted.len(), "{at}");
        for (key, sum) in wanted {
            assert_eq!(part.rows[key], *sum);
            found += 1;
        }
        let nodes: Vec<_> = part.coverage.keys().collect();
        assert!(nodes.iter().all(|node| *node == "n01"), "{nodes:?}");
        assert_eq!(part.coverage.get("n01"), whole.coverage.get("n01"));
        let entities: Vec<_> = part.entities.keys().map(|id| &**id).collect();
        assert!(entities.iter().all(|id| *id == "container:1"));
    }
    assert!(found >= 14, "{found}");
}

#[test]
fn an_outline_has_every_key_once_and_says_who_they_are() {
    let ledger = filled(Arc::default(), now_ms());
    let mut trace = ledger.trace().unwrap();
    let (from, _) = *trace.spans().last().unwrap();
    let outline = trace.outline(from).unwrap();
    assert_eq!(outline.rows.len(), NODES * 2);
    assert_eq!(outline.entities.len(), NODES);
    assert!(trace.outline(from - 20 * SPAN).unwrap().rows.is_empty());
    trace.want(&outline, HashSet::new());
    assert!(trace.knows(from) && !trace.wants(from) && !trace.knows(from - SPAN));
}
