//! Threads that want the same processor.

use std::hint::black_box;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use super::args::Flags;

/// Who competes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many threads, beside the one that waits for them.
    pub threads: usize,
    /// The processor that all of them may use.
    pub cpu: usize,
}

impl Plan {
    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            threads: flags.required("--threads")?,
            cpu: flags.required("--cpu")?,
        };
        flags.finish()?;
        Ok(plan)
    }
}

/// For each line on standard input, a number of milliseconds: lets each thread use so much of the processor, and prints a line.
pub fn run(plan: &Plan) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(plan.cpu);
    sched_setaffinity(None, &only).with_context(|| format!("stay on processor {}", plan.cpu))?;
    let (done, dones) = channel();
    let threads: Vec<Sender<Duration>> = (0..plan.threads).map(|_| burner(done.clone())).collect();
    println!("{}", json!({ "mode": "compete", "threads": plan.threads }));
    for line in io::stdin().lines() {
        let cpu_ms: u64 = line?.trim().parse().context("a number of milliseconds")?;
        for thread in &threads {
            thread.send(Duration::from_millis(cpu_ms))?;
        }
        for _ in &threads {
            dones.recv()?;
        }
        println!("{}", json!({ "mode": "compete", "cpu_ms": cpu_ms }));
    }
    Ok(())
}

/// It lives as long as the process, so that its waiting can be read.
fn burner(done: Sender<()>) -> Sender<Duration> {
    let (send, receive): (_, Receiver<Duration>) = channel();
    thread::spawn(move || {
        for budget in receive {
            let end = used() + budget;
            let mut turns = 0_u64;
            while used() < end {
                turns = black_box(turns.wrapping_add(1));
            }
            if done.send(()).is_err() {
                return;
            }
        }
    });
    send
}

fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
