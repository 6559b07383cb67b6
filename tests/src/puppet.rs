//! Drives `insight-load puppet`: sockets that do what a test says, step by step.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::pod::{Container, Pod};
use crate::process::Process;
use crate::traffic::load;

/// Longest time that a command may take.
const COMMAND: Duration = Duration::from_secs(30);

/// A process with sockets.
pub struct Puppet(Process);

impl Puppet {
    /// Starts one in a pod's first container.
    pub fn in_pod(pod: &Pod) -> Result<Self> {
        Self::in_container(pod, &pod.container)
    }

    /// Starts one in one of a pod's containers.
    pub fn in_container(pod: &Pod, container: &Container) -> Result<Self> {
        let process = pod.spawn_in(container, "insight-load puppet", load(["puppet"])?)?;
        Ok(Self(process))
    }

    /// Does what each line says, one after the other; `insight-load --help` has the commands.
    pub fn act<S: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = S>) -> Result<()> {
        lines.into_iter().try_for_each(|line| {
            let line = line.as_ref();
            self.0.tell(line)?;
            let answer = self.0.line(COMMAND).with_context(|| line.to_owned())?;
            ensure!(answer == "ok", "{line}: {answer}");
            Ok(())
        })
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.0
    }

    /// Ends it: the kernel closes what is open.
    pub fn end(self) {
        drop(self.0);
    }
}
