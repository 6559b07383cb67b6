//! What each mode of `--udp` costs: requests over TCP and over UDP, and the BPF time of a datagram.

use anyhow::{Result, ensure};

use super::bpf::{EmptyProgram, Hook, Statistics, runs_by_program};
use super::contest::{DISTURBED, SETTLE};
use super::datagrams::exchange;
use super::request_response::{FLOOR, rate, requests};
use super::rounds::compare;
use super::row::{Budget, Row};
use super::scale::Scale;
use super::world::World;
use crate::product::{Agent, Aggregator};
use crate::wait::pause;

/// Requests over UDP of which the BPF time is taken.
const REQUESTS: u64 = 20_000;

/// The first one is no agent at all.
const MODES: [&str; 4] = ["no agent", "off", "edges", "bytes"];

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let mut rows = Vec::new();
    for mode in &MODES[2..] {
        rows.extend(of_datagrams(&world, &aggregator, mode)?);
    }
    let watch = |mode: usize| -> Result<(Option<Agent>, Vec<u32>)> {
        let mut programs = vec![aggregator.daemon.pid()?];
        let agent = match mode {
            0 => None,
            _ => Some(world.agent_with(&aggregator, &["--udp", MODES[mode]])?),
        };
        if let Some(agent) = &agent {
            programs.push(agent.daemon.pid()?);
        }
        pause(SETTLE);
        Ok((agent, programs))
    };
    let load = requests((rate(&world)? * scale.bout.as_secs_f64()) as u64 / 8);
    let tcp = compare(&world, &MODES, scale.bouts, watch, || {
        let done = load.run(&world)?;
        Ok((done.request_rate(), done.tally.requests))
    })?;
    for (mode, compared) in MODES.iter().zip(tcp).skip(1) {
        let what =
            format!("--udp {mode}: TCP requests on open connections, with / without the agent");
        let row = Row::new(what, compared.speed, "ratio").digits(3);
        rows.push(if compared.others > DISTURBED {
            row.note("too disturbed to be judged")
        } else if *mode == "bytes" {
            // What is not switched on by itself may cost.
            row
        } else {
            row.budget(Budget::AtLeast(FLOOR))
        });
        rows.push(Row::new("  by CPU time", compared.cpu, "ratio").digits(3));
        rows.push(Row::new("  CPU time added to a request", compared.more_ns, "ns").digits(0));
    }
    let (probe, took) = exchange(&world, REQUESTS, false)?;
    let work = (probe.requests as f64 / took.as_secs_f64() * scale.bout.as_secs_f64()) as u64;
    for (connect, kind) in [(false, "unconnected"), (true, "connected")] {
        let udp = compare(&world, &MODES, scale.bouts, watch, || {
            let (tally, took) = exchange(&world, work, connect)?;
            Ok((tally.requests as f64 / took.as_secs_f64(), tally.requests))
        })?;
        for (mode, compared) in MODES.iter().zip(udp).skip(1) {
            let what =
                format!("--udp {mode}: UDP requests, {kind} clients, with / without the agent");
            rows.push(Row::new(what, compared.speed, "ratio").digits(3));
            rows.push(Row::new("  by CPU time", compared.cpu, "ratio").digits(3));
        }
    }
    Ok(rows)
}

/// BPF time of a request and its reply, both ends, less what timing itself costs: of UDP with each kind of client, and of TCP.
fn of_datagrams(world: &World, aggregator: &Aggregator, mode: &str) -> Result<Vec<Row>> {
    let agent = world.agent_with(aggregator, &["--udp", mode])?;
    let pid = agent.daemon.pid()?;
    let _statistics = Statistics::on()?;
    let mut rows = Vec::new();
    for kind in ["UDP, unconnected client", "UDP, connected client", "TCP"] {
        let before = runs_by_program(pid)?;
        let empty = EmptyProgram::on(Hook::Tracepoint(c"sock_send_length"))?;
        let pieces = match kind {
            "TCP" => requests(REQUESTS / 8).run(world)?.tally.requests,
            _ => {
                exchange(world, REQUESTS, kind.contains(", connected"))?
                    .0
                    .requests
            }
        };
        let empty = empty.runs()?;
        ensure!(empty.count > 0, "nothing was sent");
        let timing = empty.time_ns as f64 / empty.count as f64;
        let (mut count, mut time) = (0, 0);
        for (name, runs) in runs_by_program(pid)? {
            if name.starts_with("udp_") {
                let runs = runs.since(before.get(&name).copied().unwrap_or_default());
                count += runs.count;
                time += runs.time_ns;
            }
        }
        let each = |sum: f64| sum / pieces as f64;
        let net = each(time as f64 - timing * count as f64);
        rows.push(
            Row::new(
                format!("--udp {mode}: BPF time of a request and reply, both ends, net of timing, {kind}"),
                net / 1e3,
                "µs",
            )
            .digits(3),
        );
        rows.push(Row::new("  runs", each(count as f64), "runs"));
    }
    Ok(rows)
}
