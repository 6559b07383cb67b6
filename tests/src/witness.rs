//! Changes of a socket's state that no BPF program can have seen.
//!
//! Sandboxed machines exist whose kernel runs no tracing program in the threads of the sandbox's own first process, without counting it as a
//! miss: seen on a Linux 6.18 guest, where six of six lost closes happened in a softirq (a delayed ACK's timer) that interrupted
//! a thread of process 1. The tracepoint itself fires there, and ftrace shows it. A test that needs every single event asks this witness,
//! and repeats a round that was spoiled; a miscount in a round that was not spoiled stays a failure.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::ids::suffix;

/// Rounds that may be spoiled before a test gives up.
const ROUNDS: usize = 24;

/// Watches the changes of state in the threads of process 1, through an ftrace instance of its own.
pub struct Witness {
    instance: PathBuf,
    mount: TempDir,
}

impl Witness {
    /// Watches connections with a port of this range.
    pub fn start(ports: std::ops::Range<u16>) -> Result<Self> {
        let mount = TempDir::with_prefix("insight-tracefs-")?;
        run(Command::new("mount")
            .args(["-t", "tracefs", "none"])
            .arg(mount.path()))?;
        let instance = mount
            .path()
            .join("instances")
            .join(format!("insight-{}", suffix()));
        let witness = Self { instance, mount };
        fs::create_dir(&witness.instance).context("make an ftrace instance")?;
        let threads: Vec<String> = fs::read_dir("/proc/1/task")?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .map(|thread| format!("common_pid == {thread}"))
            .collect();
        let of_port = |name: &str| format!("({name} >= {} && {name} < {})", ports.start, ports.end);
        let filter = format!(
            "({}) && ({} || {})",
            threads.join(" || "),
            of_port("sport"),
            of_port("dport")
        );
        let event = witness.instance.join("events/sock/inet_sock_set_state");
        fs::write(event.join("filter"), &filter)
            .with_context(|| format!("set the filter {filter}"))?;
        fs::write(event.join("enable"), "1").context("enable the event")?;
        Ok(witness)
    }

    /// The opened and closed connections that it saw.
    pub fn unseen(&self) -> Result<Vec<String>> {
        let trace = fs::read_to_string(self.instance.join("trace")).context("read the trace")?;
        let counts = |line: &&str| {
            ["newstate=TCP_ESTABLISHED", "newstate=TCP_CLOSE"]
                .iter()
                .any(|end| line.trim_end().ends_with(end))
        };
        Ok(trace.lines().filter(counts).map(str::to_owned).collect())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = fs::write(self.instance.join("events/enable"), "0");
        let removed = fs::remove_dir(&self.instance);
        let unmounted = run(Command::new("umount").arg(self.mount.path()));
        if removed.is_err() || unmounted.is_err() {
            eprintln!("the ftrace instance was not removed: {removed:?} {unmounted:?}");
        }
    }
}

/// Runs rounds until one was not spoiled. A round does its work, asks whether it was spoiled, and only then judges.
pub fn in_clear_view(
    ports: std::ops::Range<u16>,
    mut round: impl FnMut(&dyn Fn() -> Result<()>) -> Result<()>,
) -> Result<()> {
    for number in 1..=ROUNDS {
        let witness = Witness::start(ports.clone())?;
        let clear = || -> Result<()> {
            let unseen = witness.unseen()?;
            ensure!(unseen.is_empty(), "no program can have seen {unseen:?}");
            Ok(())
        };
        let ended = round(&clear);
        match (ended, witness.unseen()?) {
            (Ok(()), _) => return Ok(()),
            (Err(error), unseen) if unseen.is_empty() => return Err(error),
            (Err(error), unseen) => eprintln!(
                "round {number} is repeated: this kernel ran no program for {} changes of state: {error:#}",
                unseen.len()
            ),
        }
    }
    bail!("this kernel hid changes of state from every program in each of {ROUNDS} rounds")
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
