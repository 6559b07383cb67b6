//! What was not seen.

use crate::graph::testing::{END, START, World};
use crate::model::{Coverage, Level};

/// A report that covers these seconds after the start.
fn report(from: i64, to: i64) -> Coverage {
    Coverage {
        from: START + from * 1000,
        to: START + to * 1000,
        interval_ms: 5000,
        live_readout: true,
        dropped_updates: 0,
        stopping: false,
    }
}

/// The range in seconds.
const RANGE: i64 = (END - START) / 1000;

/// "node reason from-to" in seconds after the start; and what complete says is checked.
fn gaps(nodes: &[(&str, Vec<Coverage>)]) -> Vec<String> {
    gaps_after(&[], nodes)
}

/// The same, with each node's last report before the range.
fn gaps_after(before: &[(&str, Coverage)], nodes: &[(&str, Vec<Coverage>)]) -> Vec<String> {
    let mut world = World::new();
    for (node, coverage) in nodes {
        world
            .window
            .coverage
            .insert((*node).to_owned(), coverage.clone());
    }
    for (node, last) in before {
        world.window.before.insert((*node).to_owned(), *last);
    }
    let graph = world.graph(Level::Workload);
    assert_eq!(graph.complete, graph.gaps.is_empty());
    let second = |at: &Option<prost_types::Timestamp>| at.unwrap().seconds - START / 1000;
    graph
        .gaps
        .iter()
        .map(|gap| {
            assert!(!gap.detail.is_empty());
            format!(
                "{} {} {}-{}",
                gap.node,
                gap.reason,
                second(&gap.from),
                second(&gap.to)
            )
        })
        .collect()
}

/// Reports every 5 seconds.
fn steady(from: i64, to: i64) -> Vec<Coverage> {
    (from..to).step_by(5).map(|at| report(at, at + 5)).collect()
}

#[test]
fn steady_reports_are_complete() {
    assert!(gaps(&[])[0].contains("no_agent"), "{:?}", gaps(&[]));
    assert!(gaps(&[("n1", vec![])]).is_empty());
    assert!(gaps(&[("n1", steady(0, RANGE)), ("n2", steady(-5, RANGE))]).is_empty());
    assert!(
        gaps(&[("n1", steady(300, RANGE))]).is_empty(),
        "a node that is new"
    );
}

#[test]
fn silence_is_a_gap() {
    let holed = |hole: i64| [steady(0, 100), steady(100 + hole, RANGE)].concat();
    assert!(gaps(&[("n1", holed(15))]).is_empty());
    assert_eq!(gaps(&[("n1", holed(20))]), ["n1 agent_silent 100-120"]);
    assert!(
        gaps(&[("n1", steady(0, RANGE - 15))]).is_empty(),
        "the next report is due"
    );
    assert_eq!(
        gaps(&[("n1", steady(0, RANGE - 20))]),
        [format!("n1 agent_silent {}-{RANGE}", RANGE - 20)]
    );
    let mut slow = report(0, 100);
    slow.interval_ms = 60_000;
    assert!(
        gaps(&[("n1", [vec![slow], steady(280, RANGE)].concat())]).is_empty(),
        "3 intervals"
    );
    assert_eq!(
        gaps(&[("n1", [vec![slow], steady(285, RANGE)].concat())]),
        ["n1 agent_silent 100-285"]
    );
}

#[test]
fn silence_that_began_before_the_range_is_a_gap() {
    let last = |to: i64| [("n1", report(to - 5, to))];
    let from = |at: i64| ("n1", steady(at, RANGE));
    assert!(gaps_after(&last(-1), &[from(4)]).is_empty());
    assert!(gaps_after(&last(-10), &[from(5)]).is_empty(), "15 seconds");
    assert_eq!(
        gaps_after(&last(-10), &[from(6)]),
        ["n1 agent_silent 0-6"],
        "only what is in the range"
    );
    assert_eq!(
        gaps_after(&last(-20 * 3600), &[from(60)]),
        ["n1 agent_silent 0-60"]
    );
    assert_eq!(
        gaps_after(&last(-60), &[("n2", steady(0, RANGE))]),
        [format!("n1 agent_silent 0-{RANGE}")],
        "all through"
    );
    assert_eq!(
        gaps_after(&last(-60), &[]),
        [
            format!("n1 agent_silent 0-{RANGE}"),
            format!(" no_agent 0-{RANGE}")
        ],
        "nobody else either"
    );
}

#[test]
fn an_agent_that_was_told_to_stop_is_a_gap_at_once_and_with_the_reason() {
    let stopped = |to: i64| Coverage {
        stopping: true,
        ..report(to, to)
    };
    let until = |to: i64| [steady(0, to), vec![stopped(to)]].concat();
    assert!(gaps(&[("n1", until(RANGE))]).is_empty());
    assert_eq!(
        gaps(&[("n1", until(RANGE - 5))]),
        [format!("n1 agent_stopped {}-{RANGE}", RANGE - 5)]
    );
    assert_eq!(
        gaps(&[("n1", [until(100), steady(101, RANGE)].concat())]),
        ["n1 agent_stopped 100-101"],
        "an upgrade"
    );
    let before = |to: i64| {
        let others = [("n2", steady(0, RANGE))];
        gaps_after(&[("n1", stopped(to))], &others)
    };
    assert_eq!(before(-3600), [format!("n1 agent_stopped 0-{RANGE}")]);
    assert!(before(-3601).is_empty(), "nobody waits for it any more");
    assert_eq!(
        gaps(&[(
            "n1",
            [vec![report(0, 100)], vec![stopped(60)], steady(130, RANGE)].concat()
        )]),
        ["n1 coarse 0-100", "n1 agent_silent 100-130"],
        "an earlier start's last report is not the last"
    );
}

#[test]
fn what_the_last_report_before_the_range_said_is_no_gap_of_the_range() {
    let mut last = report(-300, 0);
    last.live_readout = false;
    last.dropped_updates = 7;
    let lost = |dropped_updates: u64| {
        let mut coverage = steady(0, RANGE);
        for one in &mut coverage {
            one.dropped_updates = dropped_updates;
        }
        gaps_after(&[("n1", last)], &[("n1", coverage)])
    };
    assert!(lost(7).is_empty());
    assert_eq!(lost(9), ["n1 dropped_updates 0-5"], "in the first report");
}

#[test]
fn reports_that_overlap_are_no_silence() {
    let overlapping = [vec![report(0, 50), report(5, 10)], steady(60, RANGE)].concat();
    assert!(gaps(&[("n1", overlapping)]).is_empty());
}

#[test]
fn a_report_that_covers_long_is_coarse() {
    let with = |long: i64| {
        [
            steady(0, 100),
            vec![report(100, 100 + long)],
            steady(100 + long, RANGE),
        ]
        .concat()
    };
    assert!(gaps(&[("n1", with(60))]).is_empty());
    assert_eq!(gaps(&[("n1", with(65))]), ["n1 coarse 100-165"]);
    let before = [vec![report(-100, 5)], steady(5, RANGE)].concat();
    assert_eq!(
        gaps(&[("n1", before)]),
        ["n1 coarse 0-5"],
        "only what is in the range"
    );
}

#[test]
fn bytes_that_were_not_read_are_a_gap() {
    let mut coverage = steady(0, RANGE);
    for one in &mut coverage[10..20] {
        one.live_readout = false;
    }
    coverage[30].live_readout = false;
    assert_eq!(
        gaps(&[("n1", coverage)]),
        ["n1 no_live_readout 50-100", "n1 no_live_readout 150-155"]
    );
}

#[test]
fn lost_updates_are_a_gap() {
    let lost = |counts: &[u64]| {
        let mut coverage = steady(0, RANGE);
        let last = counts.last().copied().unwrap();
        for (at, one) in coverage.iter_mut().enumerate() {
            one.dropped_updates = counts.get(at).copied().unwrap_or(last);
        }
        gaps(&[("n1", coverage)])
    };
    assert!(lost(&[7]).is_empty(), "lost before the range");
    assert_eq!(lost(&[7, 7, 8, 9, 9]), ["n1 dropped_updates 10-20"]);
    assert!(lost(&[7, 0]).is_empty(), "the agent was restarted");
    assert_eq!(lost(&[7, 2, 2]), ["n1 dropped_updates 5-10"]);
}

#[test]
fn gaps_come_in_order_of_time() {
    let mut blind = steady(0, RANGE);
    blind.iter_mut().for_each(|one| one.live_readout = false);
    let holed = [steady(0, 100), steady(200, RANGE)].concat();
    assert_eq!(
        gaps(&[("n1", holed), ("n2", blind)]),
        [
            format!("n2 no_live_readout 0-{RANGE}"),
            "n1 agent_silent 100-200".to_owned()
        ]
    );
}
