//! A program that runs in the background with its output in a log, until it is stopped.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use super::tied::tie;
use crate::cargo;
use crate::clean_host::processes::{self, Process};
use crate::patience::wait_until;
use crate::root::Root;

/// How long a program may take to stop of its own: it flushes to its store and says good-bye to its peers.
const STOP: Duration = Duration::from_secs(10);
/// How long the kernel may take to remove a killed process.
const KILL: Duration = Duration::from_secs(5);
/// How much of a log explains an end.
const LAST_LINES: usize = 20;

/// One running program.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
    root: Option<Root>,
}

impl Service {
    /// Starts it. `root`: how the command became root's, if it did, because its signals must then take the same way.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        log: PathBuf,
        root: Option<Root>,
    ) -> Result<Self> {
        let file =
            std::fs::File::create(&log).with_context(|| format!("create {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("copy the log's descriptor")?)
            .stderr(file)
            // A group of its own: the terminal's Ctrl-C is for us, and we stop the programs in order.
            .process_group(0);
        tie(&mut command);
        let shown = cargo::show(&command);
        let child = command
            .spawn()
            .with_context(|| format!("start the {name}: '{shown}'"))?;
        Ok(Self {
            name,
            child,
            log,
            root,
        })
    }

    /// What we call it.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where its output goes.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Its status, when it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let name = self.name;
        self.child
            .try_wait()
            .with_context(|| format!("look after the {name}"))
    }

    /// The end of its log.
    pub(crate) fn last_lines(&self) -> Result<String> {
        let text =
            std::fs::read(&self.log).with_context(|| format!("read {}", self.log.display()))?;
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"))
    }

    /// SIGTERM, and SIGKILL when that does not help; then nothing that it started may be left.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let family = processes::family(self.child.id());
        if self.ended()?.is_none() {
            self.signal(&[self.child.id()], Signal::TERM)?;
        }
        let mut child_ended = false;
        let willing = wait_until(STOP, || {
            child_ended = child_ended || !matches!(self.child.try_wait(), Ok(None));
            child_ended && alive(&family).is_empty()
        });
        if willing {
            return Ok(());
        }
        let stubborn = alive(&family);
        let list = stubborn.iter().map(ToString::to_string);
        let list = list.collect::<Vec<_>>().join(", ");
        let ids: Vec<u32> = stubborn.iter().map(|process| process.id).collect();
        self.signal(&ids, Signal::KILL)?;
        let gone = wait_until(KILL, || {
            let _ = self.child.try_wait();
            alive(&family).is_empty()
        });
        let after = STOP.as_secs();
        if gone {
            bail!(
                "the {} did not stop within {after} s and was killed: {list}",
                self.name
            );
        }
        bail!(
            "the {} did not stop within {after} s and cannot be killed: {list}",
            self.name
        )
    }

    fn signal(&self, ids: &[u32], signal: Signal) -> Result<()> {
        if self.root == Some(Root::Sudo) {
            let ids = ids.iter().map(u32::to_string);
            return cargo::run(
                Root::Sudo
                    .command("kill", &[])
                    .arg(format!("-{}", signal.as_raw()))
                    .args(ids),
            )
            .with_context(|| format!("signal the {}", self.name));
        }
        for id in ids {
            let pid = i32::try_from(*id).ok().and_then(Pid::from_raw);
            let pid = pid.with_context(|| format!("{id} is no process id"))?;
            match rustix::process::kill_process(pid, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("signal the {}", self.name));
                }
            }
        }
        Ok(())
    }
}

fn alive(family: &[Process]) -> Vec<&Process> {
    family.iter().filter(|process| process.alive()).collect()
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
