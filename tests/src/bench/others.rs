//! How much of the machine's CPU time went to programs that have no part in a measurement.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::cpu;
use super::world::World;

/// A look at the clocks, to be compared with a later one.
pub(super) struct Others {
    at: Instant,
    clocks: Clocks,
    pods: PathBuf,
    programs: Vec<u32>,
}

/// CPU time so far.
#[derive(Clone, Copy, Default)]
struct Clocks {
    /// Of all CPUs, busy.
    busy: Duration,
    /// Of the pods.
    pods: Duration,
    /// Of the programs that take part.
    programs: Duration,
}

/// CPU time of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// Share of all CPUs that others had, 0 to 1.
    pub(super) others: f64,
    /// Time that both pods' processes had; what the kernel does for their packets is in it.
    pub(super) pods: Duration,
}

impl Others {
    /// From now on. What takes part: all processes of the pods, these programs, and this one. The kernel's own threads do not,
    /// so the share is never quite zero.
    pub(super) fn since_now(world: &World, programs: &[u32]) -> Result<Self> {
        let mut look = Self {
            at: Instant::now(),
            clocks: Clocks::default(),
            pods: world.root.path().join("cpu.stat"),
            programs: [programs, &[std::process::id()]].concat(),
        };
        look.clocks = look.now()?;
        Ok(look)
    }

    /// What was used since then.
    pub(super) fn used(&self) -> Result<Used> {
        let time = self.at.elapsed() * u32::try_from(std::thread::available_parallelism()?.get())?;
        let (now, before) = (self.now()?, self.clocks);
        let pods = now.pods.saturating_sub(before.pods);
        let own = pods + now.programs.saturating_sub(before.programs);
        Ok(Used {
            others: share(now.busy.saturating_sub(before.busy), own, time),
            pods,
        })
    }

    fn now(&self) -> Result<Clocks> {
        let all = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
        let busy = busy_ticks(&all).context("no line of all CPUs in /proc/stat")?;
        let pods = fs::read_to_string(&self.pods)
            .with_context(|| format!("read {}", self.pods.display()))?;
        let pods =
            usage_us(&pods).with_context(|| format!("no usage_usec in {}", self.pods.display()))?;
        let mut programs = Duration::ZERO;
        for pid in &self.programs {
            programs += cpu::used(*pid)?;
        }
        Ok(Clocks {
            busy: cpu::duration(busy)?,
            pods: Duration::from_micros(pods),
            programs,
        })
    }
}

fn share(busy: Duration, own: Duration, time: Duration) -> f64 {
    busy.saturating_sub(own).as_secs_f64() / time.as_secs_f64()
}

/// proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
fn busy_ticks(stat: &str) -> Option<u64> {
    let fields = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .take(8)
        .collect();
    match ticks.as_slice() {
        [user, nice, system, _idle, _iowait, irq, softirq, steal] => {
            Some(user + nice + system + irq + softirq + steal)
        }
        _ => None,
    }
}

fn usage_us(cpu_stat: &str) -> Option<u64> {
    cpu_stat
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_busy() {
        let stat = "cpu  10 2 30 5000 400 5 6 7 8 9\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(busy_ticks(stat), Some(60));
        assert_eq!(busy_ticks("cpu  1 2 3"), None);
        assert_eq!(usage_us("usage_usec 77\nuser_usec 5\n"), Some(77));
    }

    #[test]
    fn others_have_what_is_left() {
        let seconds = Duration::from_secs;
        assert_eq!(share(seconds(9), seconds(7), seconds(10)), 0.2);
        // Clocks of different grain.
        assert_eq!(share(seconds(7), seconds(8), seconds(10)), 0.0);
    }
}
