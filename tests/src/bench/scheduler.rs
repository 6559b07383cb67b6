//! What counting waits for a CPU costs: on each switch of threads, each interval, and when a thread ends.

use std::ffi::CStr;
use std::io::{Read, Write, pipe};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use super::bpf::{EmptyProgram, Statistics, runs_of};
use super::progress;
use super::row::{Budget, Row};
use super::scale::Scale;
use super::stats::median;
use super::world::World;
use crate::product::{Agent, Aggregator};
use crate::reader::metrics::sample;
use crate::wait::pause;

/// The agent's interval: shorter than the default, so that there are several passes to look at.
const INTERVAL: &str = "1s";

/// Passes of which the median counts.
const PASSES: usize = 7;

/// Threads that a pass goes over, beside those of the machine.
const THREADS: usize = 5_000;

/// Stack of each, bytes.
const STACK: usize = 16 * 1024;

/// Threads that end while they are timed.
const ENDS: u64 = 20_000;

/// Round trips that show how many make a run.
const PROBE: u64 = 50_000;

/// How long one run takes. Many short ones in turns, because the same work takes a varying time on a busy machine.
const BOUT: Duration = Duration::from_millis(400);

/// Rounds for each pair that others measure.
const ROUNDS: usize = 4;

/// The least ratio.
const FLOOR: f64 = 0.99;

/// Runs at every switch of threads.
const SWITCHES: &CStr = c"sched_switch";

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let mut agent = Agent::with_flags(&aggregator, "bench", &world.root, INTERVAL, &["--sched"])?;
    let mut rows = switches(scale, &mut agent)?;
    rows.extend(pass(&agent)?);
    rows.extend(ends(&agent)?);
    Ok(rows)
}

/// Switches of two threads on one processor that wake each other, for each second of their CPU time: what other programs take of the
/// processor is not in it.
fn ping_pong(trips: u64) -> Result<f64> {
    let ((mut request, mut ask), (mut reply, mut answer)) = (pipe()?, pipe()?);
    let echo = thread::spawn(move || -> Result<Duration> {
        stay()?;
        let mut byte = [0];
        while request.read(&mut byte)? == 1 {
            answer.write_all(&byte)?;
        }
        used()
    });
    let call = thread::spawn(move || -> Result<Duration> {
        stay()?;
        let mut byte = [0];
        for _ in 0..trips {
            ask.write_all(&byte)?;
            reply.read_exact(&mut byte)?;
        }
        used()
    });
    let joined = |_| anyhow!("a thread panicked");
    let used = call.join().map_err(joined)?? + echo.join().map_err(joined)??;
    Ok(2.0 * trips as f64 / used.as_secs_f64())
}

/// CPU time of this thread.
fn used() -> Result<Duration> {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).context("the clock of this thread")
}

/// On the last processor: the first one has more interrupts.
fn stay() -> Result<()> {
    let mut only = CpuSet::new();
    only.set(thread::available_parallelism()?.get() - 1);
    sched_setaffinity(None, &only).context("stay on one processor")
}

/// With the agent, without it, and with a program at each switch that does nothing: the least that one which does something costs.
fn switches(scale: &Scale, agent: &mut Agent) -> Result<Vec<Row>> {
    let trips = (ping_pong(PROBE)? / 2.0 * BOUT.as_secs_f64()) as u64;
    agent.daemon.stop()?;
    let (mut ratios, mut naive, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS * scale.bouts {
        let mut with = || -> Result<f64> {
            agent.restart()?;
            let rate = ping_pong(trips)?;
            agent.daemon.stop()?;
            Ok(rate)
        };
        // In turns, so a machine that gets slower or faster favours none.
        let (with, without) = match round.is_multiple_of(2) {
            true => (with()?, ping_pong(trips)?),
            false => {
                let without = ping_pong(trips)?;
                (with()?, without)
            }
        };
        let program = EmptyProgram::attach(SWITCHES)?;
        let empty = ping_pong(trips)?;
        drop(program);
        progress(format!(
            "round {}: {with:.0} switches per CPU second with, {without:.0} without, {empty:.0} with an empty program",
            round + 1
        ));
        ratios.push(with / without);
        naive.push(empty / without);
        rates.push(without);
    }
    agent.restart()?;
    let middle = |values: &[f64]| median(values).context("no round was measured");
    Ok(vec![
        Row::new(
            format!(
                "switches of two threads per CPU time, with / without the agent and --sched, median of {} pairs",
                ratios.len()
            ),
            middle(&ratios)?,
            "ratio",
        )
        .digits(3)
        .budget(Budget::AtLeast(FLOOR)),
        Row::new(
            "  with an empty program at sched_switch instead",
            middle(&naive)?,
            "ratio",
        )
        .digits(3),
        Row::new("  without both, median", middle(&rates)?, "switches/CPU-s").digits(0),
    ])
}

/// A pass over all threads of the machine, of which many sleep.
fn pass(agent: &Agent) -> Result<Vec<Row>> {
    let asleep = Asleep::start(THREADS)?;
    // The first pass remembers each.
    agent.settle()?;
    let threads = count()?;
    let mut passes = Vec::new();
    for _ in 0..PASSES {
        pause(Duration::from_secs(1));
        let page = agent.metrics()?;
        passes.push(sample(&page, "insight_agent_threads_seconds", &[])?);
    }
    asleep.end()?;
    let took = median(&passes).context("no pass was seen")?;
    progress(format!("{:.2} ms for {threads} threads", took * 1e3));
    Ok(vec![
        Row::new(
            format!("a pass over {threads} threads, each interval, median of {PASSES}"),
            took * 1e3,
            "ms",
        ),
        Row::new("  per thread", took * 1e9 / threads as f64, "ns").digits(0),
    ])
}

/// Threads of the machine.
fn count() -> Result<usize> {
    let load = std::fs::read_to_string("/proc/loadavg").context("read /proc/loadavg")?;
    let threads = load.split(['/', ' ']).nth(4).context("no threads in it")?;
    threads.parse().with_context(|| format!("in {load}"))
}

/// Threads that wait for their end.
struct Asleep {
    gate: Arc<Barrier>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Asleep {
    fn start(count: usize) -> Result<Self> {
        let gate = Arc::new(Barrier::new(count + 1));
        let threads = (0..count)
            .map(|_| {
                let gate = gate.clone();
                let thread = thread::Builder::new().stack_size(STACK);
                thread.spawn(move || {
                    gate.wait();
                })
            })
            .collect::<Result<_, _>>()
            .context("start threads")?;
        Ok(Self { gate, threads })
    }

    fn end(self) -> Result<()> {
        self.gate.wait();
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("a thread panicked"))?;
        }
        Ok(())
    }
}

/// The program that runs when a thread is freed.
fn ends(agent: &Agent) -> Result<Vec<Row>> {
    let pid = agent.daemon.pid()?;
    let _statistics = Statistics::on()?;
    let before = runs_of(pid, "ends")?;
    for _ in 0..ENDS {
        let thread = thread::Builder::new().stack_size(STACK).spawn(|| {})?;
        thread.join().map_err(|_| anyhow!("a thread panicked"))?;
    }
    let ran = runs_of(pid, "ends")?.since(before);
    // The kernel frees them later, the last ones after this.
    ensure!(ran.count > ENDS / 2, "{ran:?} of {ENDS} threads");
    Ok(vec![
        Row::new(
            "BPF time of the end of a thread, with --sched, gross",
            ran.time_ns as f64 / ran.count as f64,
            "ns",
        )
        .digits(0),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_wake_each_other_and_are_counted() {
        assert!(ping_pong(10).unwrap() > 0.0);
        let asleep = Asleep::start(20).unwrap();
        assert!(count().unwrap() > 20);
        asleep.end().unwrap();
    }
}
