//! Flows whose entries are removed, and made again; clients that are counted by prefix.

use std::collections::HashSet;
use std::time::Duration;

use super::super::account::GRACE;
use super::super::{IdlePolicy, Range, Ranges};
use super::*;

const POLICY: IdlePolicy = IdlePolicy {
    idle: Duration::from_secs(60),
    room: 8,
};

fn entry(totals: FlowTotals, born: u64, retired: u64) -> FlowEntry {
    FlowEntry {
        totals,
        born,
        retired,
        ..FlowEntry::default()
    }
}

/// Entries of flows that have ended, with ports from 1 on.
fn ended(count: u16) -> Vec<(FlowKey, FlowEntry)> {
    let (key, over) = closed(1, 1, 9)[0];
    (1..=count)
        .map(|port| (FlowKey { port, ..key }, over))
        .collect()
}

#[test]
fn a_flow_is_idle_when_nothing_of_it_is_open_or_unreported() {
    let later = Instant::now() + Duration::from_secs(61);
    let mut accounts = Accounts::default();
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[(1, 40)])));
    take(&mut accounts);
    assert!(accounts.idle(later, POLICY).is_empty(), "it is open");
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[])));
    take(&mut accounts);
    assert!(
        accounts.idle(later, POLICY).is_empty(),
        "open without a file"
    );
    read(&mut accounts, &closed(1, 1, 40), Some(&live(&[])));
    assert!(accounts.idle(later, POLICY).is_empty(), "not reported");
    take(&mut accounts);
    assert_eq!(accounts.idle(later, POLICY), [KEY]);
    assert!(accounts.idle(Instant::now(), POLICY).is_empty());
}

#[test]
fn conversations_keep_a_flow_until_nobody_says_anything() {
    let later = Instant::now() + Duration::from_secs(61);
    let mut accounts = Accounts::default();
    let key = FlowKey {
        protocol: PROTOCOL_UDP,
        ..KEY
    };
    let (_, entry) = closed(5, 0, 0)[0];
    let mut after = |conversations: &[(FlowKey, u64)]| {
        read(&mut accounts, &[(key, entry)], None);
        accounts.talking(&conversations.iter().copied().collect());
        let active = take(&mut accounts).map(|(_, active)| active);
        (active, accounts.idle(later, POLICY))
    };
    assert_eq!(after(&[(key, 3)]), (Some(3), vec![]));
    assert_eq!(after(&[]), (Some(0), vec![key]));
}

#[test]
fn a_map_that_is_nearly_full_gives_up_idle_flows_early() {
    let mut accounts = Accounts::default();
    let soon = || Instant::now() + Duration::from_secs(3);
    read(&mut accounts, &ended(6), None);
    rows(&mut accounts, 1, Instant::now());
    assert!(accounts.idle(soon(), POLICY).is_empty(), "three quarters");
    read(&mut accounts, &ended(7), None);
    rows(&mut accounts, 2, Instant::now());
    let idle = accounts.idle(soon(), POLICY);
    assert_eq!(idle.len(), 3, "until half of it is free");
    // The one that came last is kept.
    assert!(idle.iter().all(|key| key.port < 7));
}

#[test]
fn what_is_counted_while_an_entry_retires_is_reported_before_it_is_removed() {
    let mut accounts = Accounts::default();
    let retired = |ended: u64| {
        let (key, counted) = closed(ended, ended, ended)[0];
        vec![(key, entry(counted.totals, 1, 1))]
    };
    let later = || Instant::now() + GRACE;
    read(&mut accounts, &closed(1, 1, 1), None);
    take(&mut accounts);
    read(&mut accounts, &retired(2), None);
    assert!(accounts.removable(later()).is_empty(), "not reported");
    assert_eq!(take(&mut accounts), Some((1, 0)));
    assert!(accounts.removable(Instant::now()).is_empty(), "too early");
    assert_eq!(accounts.removable(later()), [KEY]);
    assert!(accounts.idle(later(), POLICY).is_empty(), "once");
    read(&mut accounts, &[], None);
    assert!(accounts.is_empty());
}

#[test]
fn two_entries_of_a_flow_are_one_row() {
    let second = FlowKey {
        generation: 1,
        ..KEY
    };
    let (_, counted) = closed(1, 1, 5)[0];
    let mut accounts = Accounts::default();
    read(
        &mut accounts,
        &[(KEY, entry(counted.totals, 1, 1)), (second, counted)],
        None,
    );
    let rows = rows(&mut accounts, 1, Instant::now());
    assert_eq!((rows.len(), rows[0].key), (1, KEY));
    assert_eq!(rows[0].added.0.bytes_sent, 10);
    let later = Instant::now() + POLICY.idle;
    assert!(
        accounts.idle(later, POLICY).is_empty(),
        "one of the two counts on"
    );
    read(&mut accounts, &[(second, counted)], None);
    assert_eq!(accounts.idle(later, POLICY), [second]);
}

#[test]
fn an_entry_that_is_made_again_begins_at_nothing() {
    let mut accounts = Accounts::begin(baseline(&[socket(1, 3, 1)]));
    read(&mut accounts, &closed(5, 6, 53), None);
    assert_eq!(take(&mut accounts), Some((50, 0)));
    let (key, counted) = closed(1, 1, 7)[0];
    read(&mut accounts, &[(key, entry(counted.totals, 2, 0))], None);
    assert_eq!(take(&mut accounts), Some((7, 0)));
    // As an agent that resumes: the watermark is of the first entry.
    let mut next = Accounts::default();
    next.resume([(key, 1, closed(5, 6, 50)[0].1.totals)].into_iter());
    read(&mut next, &[(key, entry(counted.totals, 2, 0))], None);
    assert_eq!(take(&mut next), Some((7, 0)));
}

fn wide(host: u32, bytes: u64) -> LiveSocket {
    let mut record = socket(u64::from(host), bytes, 0);
    record.key.remote[3] = (0x0a00_0000 + host).to_be();
    record.key.prefix = 120;
    record
}

fn ranges(text: &str) -> HashSet<Range> {
    let asked: Vec<Range> = text
        .split_whitespace()
        .map(|range| range.parse::<ipnet::IpNet>().unwrap().into())
        .collect();
    Ranges::all(&asked)
}

#[test]
fn sockets_of_one_prefix_are_one_flow() {
    let (_, entry) = closed(2, 0, 0)[0];
    let prefix = wide(0, 0).key;
    let mut accounts = Accounts::default();
    read(
        &mut accounts,
        &[(prefix, entry)],
        Some(&[wide(2, 5), wide(3, 7)]),
    );
    assert_eq!(take(&mut accounts), Some((12, 2)));
}

#[test]
fn a_connection_from_outside_is_taken_when_it_cannot_move_any_more() {
    let mut ranges_now = Ranges::default();
    ranges_now.set(ranges("10.1.0.0/16"));
    assert!(ranges_now.admits(&wide(2, 5)), "outside");
    // The cluster grows: what is open becomes an exception before.
    let grown = ranges("10.0.0.0/8");
    ranges_now.foresee(&wide(2, 5), &grown);
    assert_eq!(ranges_now.take_wanted().len(), 1);
    ranges_now.excepted(vec![address(2)]);
    ranges_now.set(grown);
    assert!(ranges_now.admits(&wide(2, 6)));
    // This one came in between.
    assert!(!ranges_now.admits(&wide(3, 1)));
    assert_eq!(ranges_now.take_wanted(), [address(3)]);
    ranges_now.excepted(vec![address(3)]);
    assert!(ranges_now.take_needless().is_empty());
    assert!(ranges_now.admits(&wide(3, 1)));
    assert_eq!(ranges_now.take_needless(), [address(2)], "it closed");
    assert!(!ranges_now.admits(&wide(2, 1)));
}

fn address(host: u32) -> u128 {
    0xffff_0a00_0000 + u128::from(host)
}

#[test]
fn without_ranges_everything_is_inside() {
    let all = Ranges::all(&[]);
    assert_eq!(all.len(), 1);
    let mut ranges_now = Ranges::default();
    ranges_now.set(all);
    assert!(!ranges_now.admits(&wide(2, 5)));
    assert!(ranges("10.0.0.0/8").len() > 4, "loopback is always inside");
}
