//! Memory and CPU time, used on purpose.

use std::hint::black_box;
use std::io::{self, Read};
use std::time::Duration;

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use super::args::Flags;

/// What to use.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Bytes of memory to touch.
    pub memory: usize,
    /// Milliseconds of CPU time to burn.
    pub cpu_ms: u64,
}

impl Plan {
    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            memory: flags.required("--memory")?,
            cpu_ms: flags.required("--cpu-ms")?,
        };
        flags.finish()?;
        Ok(plan)
    }
}

/// Uses it, prints a line, and keeps the memory until standard input ends.
pub fn run(plan: &Plan) -> Result<()> {
    let memory = black_box(vec![1_u8; plan.memory]);
    let budget = Duration::from_millis(plan.cpu_ms);
    let mut turns = 0_u64;
    while cpu_time() < budget {
        turns = black_box(turns.wrapping_add(1));
    }
    println!(
        "{}",
        json!({ "mode": "consume", "memory": memory.len(), "cpu_ms": plan.cpu_ms })
    );
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(memory);
    Ok(())
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}
