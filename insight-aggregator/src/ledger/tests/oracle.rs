//! Random reports, committed at a moving time and read over random ranges: the running ledger, one that has nothing in
//! memory, one that was opened just now, and a plain list of what was counted must all agree.

use std::collections::{BTreeMap, HashMap};

use super::super::state::SPAN_MINUTES;
use super::*;
use crate::model::{Dialed, EntityId, LOOK_BACK_MS, Sum};

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn time(&mut self, bound: i64) -> i64 {
        self.below(bound as u64) as i64
    }
}

/// Every stored report with the minute that it counts to.
#[derive(Default)]
struct Oracle(Vec<(Minute, Report)>);

impl Oracle {
    /// The answer, by definition: reports in order within a minute, minutes in order.
    fn window(&self, from: UnixMs, to: UnixMs) -> Window {
        let (first, last) = (Minute::of(from), Minute::of(to - 1));
        let mut minutes: BTreeMap<Minute, Vec<&Report>> = BTreeMap::new();
        for (minute, report) in &self.0 {
            minutes.entry(*minute).or_default().push(report);
        }
        let mut window = Window {
            from: first.start(),
            to: last.end(),
            ..Window::default()
        };
        let mut names: HashMap<EntityId, (i64, Entity)> = HashMap::new();
        for (minute, reports) in minutes {
            let is_expected =
                minute < first && minute.start() >= window.from.saturating_sub(LOOK_BACK_MS);
            for report in reports {
                if is_expected {
                    let last = window.before.entry(report.node.clone());
                    let last = last.or_insert(report.coverage);
                    if (last.to, last.from) < (report.coverage.to, report.coverage.from) {
                        *last = report.coverage;
                    }
                }
                let span = minute.0 / SPAN_MINUTES;
                let is_inside = (first..=last).contains(&minute);
                for entity in &report.entities {
                    // An entity is what the newest report of the span says, whichever minute asks.
                    let is_touched =
                        (first.0 / SPAN_MINUTES..=last.0 / SPAN_MINUTES).contains(&span);
                    if is_touched {
                        names.insert(entity.id.clone(), (span, entity.clone()));
                    }
                }
                if !is_inside {
                    continue;
                }
                add(&mut window, minute, report);
            }
        }
        for coverage in window.coverage.values_mut() {
            coverage.sort_by_key(|coverage| (coverage.from, coverage.to));
        }
        let locals = window.rows.keys().map(|key| key.local.clone());
        for id in locals.chain(window.metrics.keys().cloned()) {
            window.entities.insert(id.clone(), names[&id].1.clone());
        }
        window
    }
}

fn add(window: &mut Window, minute: Minute, report: &Report) {
    let coverage = report.coverage;
    let mut rows: HashMap<&RowKey, Counters> = HashMap::new();
    for (key, counters) in &report.rows {
        rows.entry(key).or_default().add_peer(counters);
    }
    for (key, counters) in rows {
        let first_seen = coverage.from.max(minute.start());
        if window.rows.get_mut(key).is_none() {
            let none = Sum {
                counters: Counters::default(),
                first_seen,
                last_seen: coverage.to,
            };
            window.rows.insert(key.clone(), none);
        }
        let sum = window.rows.get_mut(key).unwrap();
        sum.counters += counters;
        sum.first_seen = sum.first_seen.min(first_seen);
        sum.last_seen = sum.last_seen.max(coverage.to);
    }
    for (row, dialed) in &report.dialed {
        let key = report.rows[*row].0.clone();
        window.dialed.entry(key).or_default().insert(*dialed);
    }
    for (id, metrics) in &report.metrics {
        let known = window.metrics.entry(id.clone()).or_insert(*metrics);
        if known.at <= metrics.at {
            *known = *metrics;
        }
    }
    let of_node = window.coverage.entry(report.node.clone()).or_default();
    of_node.push(coverage);
}

fn random_report(random: &mut Random, node: u64, sequence: u64, now: UnixMs) -> Report {
    // Mostly just now, sometimes after an outage, sometimes late.
    let late = match random.below(10) {
        0 => random.time(50 * MINUTE),
        _ => random.time(5 * SECOND),
    };
    let rows: Vec<_> = (0..random.below(8))
        .map(|_| {
            let local = format!("container:{node}-{}", random.below(4));
            let port = random.below(3) as u16;
            (key(&local, port), opened(random.below(5), random.below(5)))
        })
        .collect();
    let mut report = report(&format!("n{node}"), sequence, now - late, &rows);
    report.epoch = 1 + sequence / 40;
    if random.below(8) == 0 {
        report.coverage.from -= random.time(5 * MINUTE);
    }
    for row in 0..report.rows.len() {
        if random.below(3) == 0 {
            let port = random.below(4) as u16;
            let dialed = Dialed::Asked(([10, 96, 0, 1], port).into());
            report.dialed.push((row, dialed));
        }
    }
    for _ in 0..random.below(3) {
        let id = format!("container:{node}-{}", random.below(4));
        let at = report.coverage.to - random.time(SECOND);
        report
            .metrics
            .push((id.as_str().into(), sample(at, random.below(1000))));
        report.entities.push(entity(&id, "name"));
    }
    // Names change from span to span; within one they are equal, since reports may arrive in any order.
    let span = (report.coverage.to - 1) / SPAN;
    for entity in &mut report.entities {
        entity.name = format!("{}@{span}", entity.id);
    }
    report
}

#[test]
fn memory_store_and_a_plain_list_agree() {
    for seed in 1..=6_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut now = START + random.time(SPAN);
        // Half of them have room for the newest minutes only.
        let max_rows = if seed % 2 == 0 { 0 } else { MAX_ROWS };
        let store = Arc::new(Memory::new());
        let open = |now| Ledger::open_with(store.clone(), RETENTION, now, max_rows).unwrap();
        let ledger = open(now);
        let mut oracle = Oracle::default();
        let mut sequences = [0_u64; 3];
        for step in 0..200 {
            now += random.time(40 * SECOND);
            let mut group = Vec::new();
            for (node, sequence) in (0..).zip(&mut sequences) {
                for _ in 0..random.below(3) {
                    *sequence += 1;
                    let report = random_report(&mut random, node, *sequence, now);
                    let minute = Minute::of(report.coverage.to - 1);
                    oracle.0.push((minute, report.clone()));
                    group.push(report);
                }
            }
            let outcomes = ledger.commit(group, now).unwrap();
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
            if step % 4 > 0 {
                continue;
            }
            let from = now - random.time(2 * SPAN);
            let to = from + 1 + random.time(90 * MINUTE);
            let expected = oracle.window(from, to);
            let context = format!("seed {seed} step {step} {from} {to}");
            println!("{context}");
            assert_same(&ledger.window_at(from, to, i64::MAX).unwrap(), &expected);
            let reopened = open(now);
            assert_same(&reopened.window_at(from, to, i64::MAX).unwrap(), &expected);
            let cold = open(now + 20 * MINUTE + SPAN);
            assert_eq!(cold.stats().rows_in_memory, 0);
            assert_same(&cold.window_at(from, to, i64::MAX).unwrap(), &expected);
        }
        let stats = ledger.stats();
        assert!(stats.minutes_in_memory <= 17, "{stats:?}");
        assert!(oracle.0.len() as u64 == stats.counts.reports);
    }
}
