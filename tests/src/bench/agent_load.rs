//! The agent under load: open sockets of which all speak in each interval, and new connections all the time.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::crowd::{self, Crowd};
use super::row::{Budget, Row};
use super::scale::Scale;
use super::short_connections::top_rate;
use super::stats::median;
use super::traffic::Load;
use super::world::World;
use super::{cpu, fdinfo::Objects, progress};
use crate::pins::BpfFs;
use crate::product::{Agent, Aggregator};
use crate::reader::metrics::sample;
use crate::wait::pause;

/// The budget's rate of new connections; a machine that cannot do it without being full gets less.
const WANTED_RATE: f64 = 10_000.0;

/// Share of the rate that a machine can do: the rest is idle, as it should be on a node that works.
const SHARE: f64 = 0.6;

/// The agent's interval: how often it reads, and how often each connection speaks here.
const INTERVAL: Duration = Duration::from_secs(5);

/// Intervals before the measurement, in which the agent's memory gets its size.
const WARM_UP: u32 = 3;

const MIB: f64 = 1_048_576.0;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let rate = (top_rate()? * SHARE).min(WANTED_RATE).round();
    let mut rows = Vec::new();
    for sockets in scale.sockets {
        rows.extend(under(*sockets, rate, scale.steady)?);
    }
    Ok(rows)
}

fn under(sockets: u64, rate: f64, time: Duration) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let pins = BpfFs::new()?;
    let agent = world.agent_pinned(&aggregator, &pins.folder())?;
    // Each connection is two sockets.
    let mut crowds = crowd::open(&world, sockets / 2)?;
    progress(format!("{sockets} sockets are open"));
    let in_all = INTERVAL * WARM_UP + time + INTERVAL;
    let load = Load {
        concurrency: 8,
        rate,
        ..Load::short((rate * in_all.as_secs_f64()) as u64)
    };
    let running = load.start(&world)?;
    for _ in 0..WARM_UP {
        speak_for(&mut crowds, INTERVAL)?;
    }
    let mut watched = watch(&agent, &mut crowds, time)?;
    let done = running.finish()?;
    watched.quiet_readout = quiet(&agent)?;
    let achieved = done.connection_rate();
    progress(format!("{achieved:.0} connections/s beside it"));
    ensure!(
        achieved > 0.9 * rate,
        "only {achieved:.0} of {rate:.0} connections/s came about: this machine has no room for the load"
    );
    watched.rows(sockets, achieved)
}

/// Lets each connection speak once, and waits for the rest of the time.
fn speak_for(crowds: &mut [Crowd], time: Duration) -> Result<()> {
    let start = Instant::now();
    for crowd in &mut *crowds {
        crowd.speak(64)?;
    }
    pause(time.saturating_sub(start.elapsed()));
    Ok(())
}

/// What was seen of the agent.
struct Watched {
    /// Seconds of each pass over the sockets.
    readouts: Vec<f64>,
    /// Seconds of a pass when nothing else runs.
    quiet_readout: f64,
    /// Share of a core.
    cpu: f64,
    /// Bytes.
    resident: u64,
    /// Bytes of it that are no pages of files.
    anonymous: u64,
    /// Bytes.
    maps: u64,
    flows: f64,
}

fn watch(agent: &Agent, crowds: &mut [Crowd], time: Duration) -> Result<Watched> {
    let pid = agent.daemon.pid()?;
    let (start, before) = (Instant::now(), cpu::used(pid)?);
    let mut readouts = Vec::new();
    let (mut resident, mut anonymous) = (0, 0);
    let mut flows = 0.0;
    while start.elapsed() < time {
        speak_for(crowds, INTERVAL)?;
        let metrics = agent.metrics()?;
        readouts.push(sample(&metrics, "insight_agent_readout_seconds", &[])?);
        flows = sample(&metrics, "insight_agent_flow_map_entries", &[])?;
        resident = agent.daemon.resident()?.max(resident);
        anonymous = anonymous_memory(pid)?.max(anonymous);
        progress(format!(
            "readout {:.2} ms, {flows} flows, {:.1} MiB resident",
            readouts.last().copied().unwrap_or_default() * 1e3,
            resident as f64 / MIB
        ));
    }
    let used = cpu::used(pid)?.saturating_sub(before);
    Ok(Watched {
        readouts,
        quiet_readout: 0.0,
        cpu: used.as_secs_f64() / start.elapsed().as_secs_f64(),
        resident,
        anonymous,
        maps: Objects::of(pid)?.map_memory(),
        flows,
    })
}

/// A pass over the open sockets when nobody speaks and nobody connects.
fn quiet(agent: &Agent) -> Result<f64> {
    // The interval that is under way was not quiet yet.
    pause(2 * INTERVAL);
    sample(&agent.metrics()?, "insight_agent_readout_seconds", &[])
}

fn anonymous_memory(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("no RssAnon in {path}"))?;
    Ok(kib * 1024)
}

impl Watched {
    fn rows(&self, sockets: u64, rate: f64) -> Result<Vec<Row>> {
        let readout = median(&self.readouts).context("no readout was seen")?;
        let load = format!(
            "{sockets} open sockets, {} flows, {rate:.0} connections/s",
            self.flows
        );
        Ok(vec![
            Row::new(
                format!("agent CPU: {load}"),
                self.cpu * 100.0,
                "% of a core",
            )
            .budget(Budget::Below(2.0)),
            Row::new("  readout, median pass", readout * 1e3, "ms"),
            Row::new(
                "  readout, without that traffic",
                self.quiet_readout * 1e3,
                "ms",
            ),
            Row::new("  agent resident memory", self.resident as f64 / MIB, "MiB")
                .digits(1)
                .budget(Budget::Below(30.0)),
            Row::new("  of it not file pages", self.anonymous as f64 / MIB, "MiB").digits(1),
            Row::new("  agent BPF map memory", self.maps as f64 / MIB, "MiB")
                .digits(1)
                .budget(Budget::Below(32.0)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_units() {
        let watched = Watched {
            readouts: vec![0.004, 0.002, 0.003],
            quiet_readout: 0.002,
            anonymous: 5 << 20,
            cpu: 0.0125,
            resident: 10 << 20,
            maps: 40 << 20,
            flows: 1_000.0,
        };
        let rows = watched.rows(5_000, 9_999.6).unwrap();
        let figures: Vec<String> = rows.iter().map(|row| row.cells()[1].clone()).collect();
        assert_eq!(figures, ["1.25", "3.00", "2.00", "10.0", "5.0", "40.0"]);
        assert_eq!(rows[5].cells()[4], "over");
        assert!(
            rows[0].what.contains("10000 connections/s"),
            "{}",
            rows[0].what
        );
    }
}
