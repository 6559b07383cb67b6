//! What `up` shows: the aggregator's own readers.

use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal};

use super::Args;
use super::tied::tie;
use crate::patience::wait_until;
use crate::project::Project;
use crate::{cargo, signals};

/// How long the live table may take to leave the terminal in order.
const STOP: Duration = Duration::from_secs(3);

fn reader(project: &Project, args: &Args, verb: &str) -> Command {
    let mut command = Command::new(project.programs(true).join("insight-aggregator"));
    command
        .arg(verb)
        .args(["--server", &format!("http://{}", args.grpc)]);
    command
}

/// Prints the graph as a table.
pub(crate) fn table(project: &Project, args: &Args) -> Result<()> {
    cargo::run(&mut reader(project, args, "graph"))
}

/// The live table, in the foreground: a Ctrl-C of the terminal reaches it too.
pub(crate) struct Watch(Child);

impl Watch {
    /// Starts it.
    pub(crate) fn start(project: &Project, args: &Args) -> Result<Self> {
        let mut command = reader(project, args, "watch");
        tie(&mut command);
        let shown = cargo::show(&command);
        let child = command
            .spawn()
            .with_context(|| format!("start '{shown}'"))?;
        Ok(Self(child))
    }

    /// Whether it has ended by itself; an error when it failed and nobody has asked us to stop.
    pub(crate) fn ended(&mut self) -> Result<bool> {
        let Some(status) = self.0.try_wait().context("look after 'watch'")? else {
            return Ok(false);
        };
        // The terminal's Ctrl-C may have reached it a moment before us.
        let asked = || wait_until(Duration::from_millis(200), signals::asked_to_stop);
        ensure!(
            status.success() || asked(),
            "'insight-aggregator watch' failed ({status})"
        );
        Ok(true)
    }

    /// Ends it as Ctrl-C would.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if self.0.try_wait().context("look after 'watch'")?.is_some() {
            return Ok(());
        }
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            rustix::process::kill_process(id, Signal::INT).context("stop 'watch'")?;
        }
        if !wait_until(STOP, || !matches!(self.0.try_wait(), Ok(None))) {
            self.0.kill().context("kill 'watch'")?;
            self.0.wait().context("wait for 'watch'")?;
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("error: {error:#}");
        }
    }
}
