use std::time::Instant;

use insight_ebpf::abi::{
    self, FlowEntry, FlowKey, FlowTotals, LiveSocket, PROTOCOL_TCP, PROTOCOL_UDP, ROLE_CLIENT,
    ROLE_SERVER,
};

use super::accounts::MENTION;
use super::{Accounts, Baseline, Columns, FlowRow};

const KEY: FlowKey = FlowKey {
    cgroup: 7,
    netns: 9,
    local: [0, 0, 0xffff_u32.to_be(), 0x0a00_0001_u32.to_be()],
    remote: [0, 0, 0xffff_u32.to_be(), 0x0a00_0002_u32.to_be()],
    port: 443,
    role: ROLE_CLIENT,
    protocol: PROTOCOL_TCP,
    prefix: 0,
    generation: 0,
    padding: 0,
};

fn closed(opened: u64, closed: u64, bytes: u64) -> Vec<(FlowKey, FlowEntry)> {
    let totals = FlowTotals {
        opened,
        closed,
        bytes_sent: bytes,
        ..FlowTotals::default()
    };
    let entry = FlowEntry {
        totals,
        born: 1,
        retired: 0,
        ..FlowEntry::default()
    };
    vec![(KEY, entry)]
}

fn socket(address: u64, bytes_sent: u64, baseline: u32) -> LiveSocket {
    LiveSocket {
        key: KEY,
        socket: address,
        bytes_sent,
        baseline,
        ..LiveSocket::default()
    }
}

fn live(sockets: &[(u64, u64)]) -> Vec<LiveSocket> {
    sockets
        .iter()
        .map(|(address, sent)| socket(*address, *sent, 0))
        .collect()
}

/// What the sockets had moved before; their flow's entry is that of [`closed`].
fn baseline(records: &[LiveSocket]) -> Vec<(FlowKey, abi::Baseline)> {
    let mut baseline = Baseline::default();
    records.iter().for_each(|record| baseline.meet(record));
    let of = |(key, moved)| (key, abi::Baseline { born: 1, moved });
    baseline.flows.into_iter().map(of).collect()
}

fn read(accounts: &mut Accounts, closed: &[(FlowKey, FlowEntry)], open: Option<&[LiveSocket]>) {
    accounts.begin_reading();
    for (key, entry) in closed {
        accounts.closed(key, entry);
    }
    open.unwrap_or_default()
        .iter()
        .for_each(|record| accounts.open(record));
    accounts.end_reading(open.is_some());
}

fn rows(accounts: &mut Accounts, sequence: u64, now: Instant) -> Vec<FlowRow> {
    let mut rows = Vec::new();
    accounts.take(sequence, now, |_| {}, |row| rows.push(*row));
    rows
}

/// Bytes sent and open connections of the next batch's only row.
fn take(accounts: &mut Accounts) -> Option<(u64, u64)> {
    let rows = rows(accounts, 1, Instant::now());
    assert!(rows.len() <= 1);
    rows.first().map(|row| (row.added.0.bytes_sent, row.active))
}

#[test]
fn a_byte_is_counted_once_whether_its_connection_is_open_or_closed() {
    let mut accounts = Accounts::default();
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[(1, 100)])));
    assert_eq!(take(&mut accounts), Some((100, 1)));
    read(&mut accounts, &closed(1, 1, 150), Some(&live(&[])));
    assert_eq!(take(&mut accounts), Some((50, 0)));
    read(&mut accounts, &closed(1, 1, 150), Some(&live(&[])));
    assert_eq!(take(&mut accounts), None);
}

#[test]
fn a_connection_that_closes_between_the_two_reads_is_missing_for_one_interval_only() {
    let mut accounts = Accounts::default();
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[(1, 100)])));
    assert_eq!(take(&mut accounts), Some((100, 1)));
    // Closed after the flow map was read, before the sockets were.
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[])));
    assert_eq!(take(&mut accounts), Some((0, 0)));
    read(&mut accounts, &closed(1, 1, 130), Some(&live(&[])));
    assert_eq!(take(&mut accounts), Some((30, 0)));
}

#[test]
fn descriptors_of_one_socket_count_once() {
    let mut accounts = Accounts::default();
    for _ in 0..2 {
        let sockets = live(&[(1, 100), (1, 100), (2, 5)]);
        read(&mut accounts, &closed(2, 0, 0), Some(&sockets));
    }
    assert_eq!(take(&mut accounts), Some((105, 2)));
}

#[test]
fn what_was_before_the_start_is_taken_off_also_after_the_close() {
    let mut accounts = Accounts::begin(baseline(&[
        socket(1, 1_000, 1),
        socket(1, 1_004, 1),
        socket(2, 7, 0),
    ]));
    read(
        &mut accounts,
        &closed(0, 0, 0),
        Some(&live(&[(1, 1_010), (2, 7)])),
    );
    assert_eq!(take(&mut accounts), Some((17, 2)));
    read(&mut accounts, &closed(0, 1, 1_030), Some(&live(&[(2, 7)])));
    assert_eq!(take(&mut accounts), Some((20, 1)));
}

#[test]
fn a_reading_that_failed_in_the_middle_counts_nothing_twice() {
    let mut accounts = Accounts::default();
    accounts.begin_reading();
    let (key, entry) = closed(1, 0, 0)[0];
    accounts.closed(&key, &entry);
    accounts.open(&socket(1, 100, 0));
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[(1, 100)])));
    assert_eq!(take(&mut accounts), Some((100, 1)));
}

#[test]
fn without_a_readout_bytes_arrive_at_close() {
    let mut accounts = Accounts::default();
    read(&mut accounts, &closed(3, 1, 10), None);
    assert_eq!(take(&mut accounts), Some((10, 2)));
}

/// Open connections after each reading of so many opened and closed, without a readout.
fn open_after(readings: &[(u64, u64)]) -> Vec<u64> {
    let mut accounts = Accounts::default();
    let mut open = Vec::new();
    for (opened, ended) in readings {
        read(&mut accounts, &closed(*opened, *ended, 0), None);
        let last = open.last().copied().unwrap_or(0);
        open.push(take(&mut accounts).map_or(last, |(_, active)| active));
    }
    open
}

#[test]
fn without_a_readout_old_connections_are_known_by_their_closes() {
    // Three are old. Two close, three new ones come and go, the last old one closes, and a new one is right from then on.
    let readings = [
        (0, 2),
        (0, 2),
        (3, 2),
        (3, 5),
        (3, 6),
        (3, 6),
        (4, 6),
        (4, 7),
    ];
    assert_eq!(open_after(&readings), [0, 0, 3, 0, 0, 0, 1, 0]);
}

#[test]
fn without_a_readout_a_close_that_was_read_before_its_opening_leaves_nothing() {
    let readings = [(5, 5), (5, 6), (6, 6), (6, 6), (7, 7)];
    assert_eq!(open_after(&readings), [0; 5]);
}

#[test]
fn a_new_flow_is_batched_before_the_interval_and_not_twice() {
    let mut accounts = Accounts::default();
    accounts.appeared(&KEY, &closed(1, 0, 0)[0].1);
    assert_eq!(take(&mut accounts), Some((0, 1)));
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[(1, 40)])));
    assert_eq!(take(&mut accounts), Some((40, 1)));
}

#[test]
fn an_idle_open_connection_is_mentioned_now_and_then() {
    let mut accounts = Accounts::default();
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[(1, 40)])));
    let start = Instant::now();
    assert_eq!(rows(&mut accounts, 1, start).len(), 1);
    assert_eq!(rows(&mut accounts, 1, start).len(), 0);
    let rows = rows(&mut accounts, 1, start + MENTION);
    assert!(rows[0].added.is_zero());
    assert_eq!(rows[0].active, 1);
}

#[test]
fn columns_share_their_ends() {
    let mut accounts = Accounts::default();
    let mut server = closed(1, 1, 5);
    server[0].0.role = ROLE_SERVER;
    server[0].0.port = 80;
    read(&mut accounts, &[closed(1, 1, 9), server].concat(), None);
    let (mut columns, mut others) = (Columns::default(), Columns::default());
    for row in rows(&mut accounts, 1, Instant::now()) {
        columns.push(&row, row.key.role == ROLE_SERVER, std::iter::empty());
        others.push(&row, false, std::iter::empty());
    }
    assert!(others.finish().own.is_empty());
    let columns = columns.finish();
    let servers = columns.role.iter().map(|role| *role == 2);
    assert_eq!(columns.own, servers.collect::<Vec<bool>>());
    assert_eq!((columns.local.len(), columns.endpoints.len()), (2, 2));
    assert_eq!(columns.endpoints[0].address, [10, 0, 0, 1]);
    assert_eq!(
        (
            columns.endpoints[0].cgroup_id,
            columns.endpoints[1].cgroup_id
        ),
        (7, 0)
    );
    assert_eq!(columns.bytes_sent.iter().sum::<u64>(), 14);
}

#[test]
fn a_new_connection_of_an_old_flow_adds_to_the_open_ones() {
    let mut accounts = Accounts::begin(baseline(&[socket(1, 1, 1), socket(2, 1, 1)]));
    read(
        &mut accounts,
        &closed(0, 0, 0),
        Some(&live(&[(1, 1), (2, 1)])),
    );
    assert_eq!(take(&mut accounts), Some((0, 2)));
    accounts.appeared(&KEY, &closed(1, 0, 0)[0].1);
    assert_eq!(take(&mut accounts), Some((0, 3)));
}

#[test]
fn a_connection_whose_flow_was_not_read_yet_is_in_the_next_reading() {
    let mut accounts = Accounts::default();
    read(&mut accounts, &[], Some(&live(&[(1, 40)])));
    assert_eq!(take(&mut accounts), None);
    read(&mut accounts, &closed(1, 0, 0), Some(&live(&[(1, 50)])));
    assert_eq!(take(&mut accounts), Some((50, 1)));
}

#[path = "room_tests.rs"]
mod room;
