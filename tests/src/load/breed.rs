//! Processes of short lives, of which it is known how long they waited for a processor.

use std::fs;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::json;

use super::args::Flags;
use crate::wait::{PATIENCE, eventually, pause};

/// Whose children.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many live at once.
    pub children: usize,
    /// The processor that all of them may use.
    pub cpu: usize,
}

impl Plan {
    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            children: flags.required("--children")?,
            cpu: flags.required("--cpu")?,
        };
        flags.finish()?;
        Ok(plan)
    }
}

/// For each line on standard input, a number of milliseconds: starts children that each use so much of the processor, and prints how long
/// they waited for it in all their life.
pub fn run(plan: &Plan) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(plan.cpu);
    sched_setaffinity(None, &only).with_context(|| format!("stay on processor {}", plan.cpu))?;
    println!("{}", json!({ "mode": "breed", "children": plan.children }));
    for line in io::stdin().lines() {
        let line = line?;
        let start = || {
            Command::new(std::env::current_exe()?)
                .args(["consume", "--memory", "4096", "--cpu-ms", line.trim()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
        };
        let children: Vec<Child> = (0..plan.children)
            .map(|_| start())
            .collect::<Result<_, _>>()?;
        let mut sum = Schedstat::default();
        for mut child in children {
            sum = sum.plus(last_of(&child)?);
            let status = child.wait()?;
            ensure!(status.success(), "a child ended with {status}");
        }
        println!(
            "{}",
            json!({ "waited_ns": sum.waited_ns, "runs": sum.runs })
        );
    }
    Ok(())
}

/// A process that has ended and was not waited for can still be asked, and does nothing any more.
fn last_of(child: &Child) -> Result<Schedstat> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.context("a process id is positive")?;
    waitid(
        WaitId::Pid(pid),
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
    )?;
    Schedstat::at_rest(child.id())
}

/// What `/proc/PID/schedstat` says of threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedstat {
    /// Nanoseconds that they waited for a processor while they could have run.
    pub waited_ns: u64,
    /// How often they got one.
    pub runs: u64,
}

impl Schedstat {
    /// All threads of a process, once they stand still.
    pub fn at_rest(pid: u32) -> Result<Self> {
        let now = || -> Result<Self> {
            let mut sum = Self::default();
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                let path = thread?.path().join("schedstat");
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("read {}", path.display()))?;
                sum = sum.plus(Self::parse(&text).with_context(|| text.clone())?);
            }
            Ok(sum)
        };
        eventually(PATIENCE, "threads to stand still", || {
            let before = now()?;
            pause(Duration::from_millis(50));
            ensure!(before == now()?, "{before:?} goes on");
            Ok(before)
        })
    }

    /// Time on a processor, time waiting, runs.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().skip(1).map(str::parse);
        Some(Self {
            waited_ns: numbers.next()?.ok()?,
            runs: numbers.next()?.ok()?,
        })
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            waited_ns: self.waited_ns + other.waited_ns,
            runs: self.runs + other.runs,
        }
    }

    /// What was added since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            waited_ns: self.waited_ns - before.waited_ns,
            runs: self.runs - before.runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read() {
        let expected = Schedstat {
            waited_ns: 77_836,
            runs: 2,
        };
        assert_eq!(Schedstat::parse("405279 77836 2\n"), Some(expected));
        assert_eq!(Schedstat::parse("405279 77836"), None);
        assert_eq!(expected.plus(expected).since(expected), expected);
    }
}
