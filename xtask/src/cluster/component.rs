//! A program of the cluster that goes on running when we end: its output, and how it is found again.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::layout::{self, STATE};
use crate::cargo;
use crate::clean_host::processes::Process;
use crate::patience::pause;

/// How much of a log explains an end.
const LAST_LINES: usize = 20;

/// By its name: `etcd`, or for a node's `node-a/kubelet`.
pub(crate) struct Component {
    name: String,
}

impl Component {
    /// The component of this name; it may run or not.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// What we call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, if it runs.
    pub(crate) fn running(&self) -> Option<u32> {
        let note = fs::read_to_string(self.file()).ok()?;
        let (id, began) = note.trim().split_once(' ')?;
        let process = Process::find(id.parse().ok()?)?;
        // The same id may be another process by now.
        (process.alive() && process.began() == began.parse::<u64>().ok()?).then_some(process.id)
    }

    /// Starts it, detached, unless it runs.
    pub(crate) fn ensure(&self, command: impl FnOnce() -> Result<Command>) -> Result<u32> {
        if let Some(id) = self.running() {
            return Ok(id);
        }
        let mut command = command()?;
        let log = layout::log(&self.name);
        for folder in [log.parent(), self.file().parent()].into_iter().flatten() {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("open {}", log.display()))?;
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("copy the log's descriptor")?)
            .stderr(output)
            // The terminal's Ctrl-C is not for it.
            .process_group(0);
        let shown = cargo::show(&command);
        let child = command
            .spawn()
            .with_context(|| format!("start {}: '{shown}'\n{}", self.name, self.last_lines()))?;
        let process = Process::find(child.id()).context("it ended at once")?;
        fs::write(self.file(), format!("{} {}", process.id, process.began()))
            .with_context(|| format!("note the process of {}", self.name))?;
        Ok(process.id)
    }

    /// Waits until something is so, as long as it runs.
    pub(crate) fn wait(
        &self,
        what: &str,
        limit: Duration,
        mut so: impl FnMut() -> bool,
    ) -> Result<()> {
        let end = Instant::now() + limit;
        while !so() {
            if self.running().is_none() {
                bail!(
                    "{} has ended; its log ends:\n{}",
                    self.name,
                    self.last_lines()
                );
            }
            if Instant::now() > end {
                let seconds = limit.as_secs();
                bail!(
                    "{} runs, but {what} not within {seconds} s; its log ends:\n{}",
                    self.name,
                    self.last_lines()
                );
            }
            pause();
        }
        Ok(())
    }

    /// The end of its log.
    pub(crate) fn last_lines(&self) -> String {
        let text = fs::read(layout::log(&self.name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    fn file(&self) -> PathBuf {
        PathBuf::from(STATE).join("run").join(&self.name)
    }
}
