//! Ways to see UDP, each by a program that does nothing: how often it runs for UDP and for TCP, and what that alone costs TCP.

use std::path::Path;

use anyhow::Result;

use super::bpf::{EmptyProgram, Hook, Statistics};
use super::datagrams::exchange;
use super::request_response::{rate, requests};
use super::rounds::compare;
use super::row::Row;
use super::scale::Scale;
use super::traffic::Load;
use super::world::World;

/// Requests over UDP that are looked at.
const REQUESTS: u64 = 2_000;

// `enum bpf_prog_type` and `enum bpf_attach_type`, include/uapi/linux/bpf.h
const CGROUP_SKB: u32 = 8;
const CGROUP_SOCK: u32 = 9;
const CGROUP_SOCK_ADDR: u32 = 18;
const INGRESS: u32 = 0;
const EGRESS: u32 = 1;
const CONNECT4: u32 = 10;
const CONNECT6: u32 = 11;
const UDP4_SENDMSG: u32 = 14;
const UDP6_SENDMSG: u32 = 15;
const UDP4_RECVMSG: u32 = 19;
const UDP6_RECVMSG: u32 = 20;
const SOCK_RELEASE: u32 = 34;

/// A way, and its hooks.
type Way = (&'static str, fn(&Path) -> Vec<Hook<'_>>);

const WAYS: [Way; 6] = [
    ("nothing", |_| Vec::new()),
    ("cgroup_skb", |root| {
        [INGRESS, EGRESS]
            .map(|to| Hook::Cgroup(root, CGROUP_SKB, to))
            .into()
    }),
    ("sock_send_length, sock_recv_length", |_| {
        [c"sock_send_length", c"sock_recv_length"]
            .map(Hook::Tracepoint)
            .into()
    }),
    ("cgroup/sendmsg, recvmsg", |root| {
        [UDP4_SENDMSG, UDP6_SENDMSG, UDP4_RECVMSG, UDP6_RECVMSG]
            .map(|to| Hook::Cgroup(root, CGROUP_SOCK_ADDR, to))
            .into()
    }),
    ("cgroup/connect", |root| {
        [CONNECT4, CONNECT6]
            .map(|to| Hook::Cgroup(root, CGROUP_SOCK_ADDR, to))
            .into()
    }),
    ("cgroup/sock_release", |root| {
        vec![Hook::Cgroup(root, CGROUP_SOCK, SOCK_RELEASE)]
    }),
];

/// Those that run for messages of TCP.
const TAXING: [usize; 3] = [0, 1, 2];

fn attach(world: &World, way: usize) -> Result<Vec<EmptyProgram>> {
    let hooks = WAYS[way].1(world.root.path());
    hooks.into_iter().map(EmptyProgram::on).collect()
}

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let world = World::new()?;
    let mut rows = Vec::new();
    for (way, (name, _)) in WAYS.iter().enumerate().skip(1) {
        let _statistics = Statistics::on()?;
        // Sockets of each kind are closed with their load, so their closing is in it.
        for (what, per) in [
            ("UDP request and reply", 0),
            ("UDP request and reply, connected client", 1),
            ("TCP request and reply on an open connection", 2),
            ("TCP connection", 3),
        ] {
            let programs = attach(&world, way)?;
            let pieces = match per {
                0 | 1 => exchange(&world, REQUESTS, per == 1)?.0.requests,
                2 => requests(REQUESTS / 8).run(&world)?.tally.requests,
                _ => Load::short(REQUESTS).run(&world)?.tally.connections,
            };
            let mut count = 0;
            for program in &programs {
                count += program.runs()?.count;
            }
            rows.push(Row::new(
                format!("{name}: runs for a {what}, both ends"),
                count as f64 / pieces as f64,
                "runs",
            ));
        }
    }
    let load = requests((rate(&world)? * scale.bout.as_secs_f64()) as u64 / 8);
    let names = TAXING.map(|way| WAYS[way].0);
    let compared = compare(
        &world,
        &names,
        scale.bouts,
        |turn| Ok((attach(&world, TAXING[turn])?, Vec::new())),
        || {
            let done = load.run(&world)?;
            Ok((done.request_rate(), done.tally.requests))
        },
    )?;
    for (name, compared) in names.iter().zip(compared).skip(1) {
        let what = format!("{name}, empty: TCP requests, with / without");
        rows.push(Row::new(what, compared.speed, "ratio").digits(3));
        rows.push(Row::new("  by CPU time", compared.cpu, "ratio").digits(3));
        rows.push(Row::new("  CPU time added to a request", compared.more_ns, "ns").digits(0));
    }
    Ok(rows)
}
