//! A process that ends with its guard.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal};
use rustix::thread::{CpuSet, LinkNameSpaceType, sched_getaffinity, sched_setaffinity};

use crate::wait::pause;

/// Where a process is put before it executes: opened files, because between fork and exec nothing may be allocated.
#[derive(Default)]
pub struct Place {
    /// The network namespace to enter.
    pub netns: Option<File>,
    /// `cgroup.procs` of each cgroup to enter, opened for writing.
    pub cgroups: Vec<File>,
}

/// Makes `command` start in `place`, and die with the thread that starts it: start processes from a thread that outlives
/// them, as a test's own thread does.
pub fn put(command: &mut Command, place: Place) {
    let enter = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        for cgroup in &place.cgroups {
            // "0" is the writer itself.
            rustix::io::write(cgroup, b"0")?;
        }
        if let Some(netns) = &place.netns {
            rustix::thread::move_into_link_name_space(
                std::os::fd::AsFd::as_fd(netns),
                Some(LinkNameSpaceType::Network),
            )?;
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only, on descriptors that are already open; it neither allocates nor locks.
    unsafe {
        command.pre_exec(enter);
    }
}

/// Makes `command` start on one CPU, and stay there.
pub fn pin(command: &mut Command, cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu);
    let stay = move || Ok(sched_setaffinity(None, &only)?);
    // SAFETY: the closure makes one system call, on memory of its own.
    unsafe {
        command.pre_exec(stay);
    }
}

/// The CPUs that this process may run on.
pub fn cpus() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("ask for the CPUs of this process")?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|cpu| set.is_set(*cpu))
        .collect())
}

/// A running process with its standard input and output; killed and waited for when dropped.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// Starts `command` in `place`. Standard error goes to the test's own.
    pub fn start(name: &str, mut command: Command, place: Place) -> Result<Self> {
        put(&mut command, place);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}: {command:?}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("standard output is piped")?;
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            child,
            stdin,
            lines,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its standard output.
    pub fn line(&mut self, timeout: Duration) -> Result<String> {
        self.lines
            .recv_timeout(timeout)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => {
                    anyhow!("{} printed nothing for {} s", self.name, timeout.as_secs())
                }
                RecvTimeoutError::Disconnected => anyhow!(
                    "{} ended without the expected line: {:?}",
                    self.name,
                    self.child.try_wait()
                ),
            })
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("standard input is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("write to {}", self.name))
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        wait_child(&mut self.child, &self.name, timeout)
    }

    /// Waits until it ends by itself, well.
    pub fn finish(&mut self, timeout: Duration) -> Result<()> {
        let status = self.wait(timeout)?;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }

    /// An error if it has ended.
    pub fn expect_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}", self.name),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        signal_child(&self.child, signal).with_context(|| format!("signal {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end_child(&mut self.child);
    }
}

/// Waits for a child that was not waited for yet.
pub fn wait_child(child: &mut Child, name: &str, timeout: Duration) -> Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child
            .try_wait()
            .with_context(|| format!("wait for {name}"))?
        {
            return Ok(status);
        }
        if start.elapsed() > timeout {
            bail!("{name} still runs after {} s", timeout.as_secs());
        }
        pause(Duration::from_millis(10));
    }
}

/// Signals a child by its process id, which is its own until it is waited for.
pub fn signal_child(child: &Child, signal: Signal) -> Result<()> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .context("a process id is positive")?;
    rustix::process::kill_process(pid, signal)?;
    Ok(())
}

/// Kills and waits; fine for one that has ended.
pub fn end_child(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        // Errors mean that it has just ended.
        let _ = child.kill();
        let _ = child.wait();
    }
}
