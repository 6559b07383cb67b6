//! One virtual machine, from its start to its end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::patience::pause;
use crate::up::tied::tie;
use crate::{cargo, signals};

/// A machine that runs longer hangs: one takes 15 to 40 s alone, and this is for a slow and busy machine.
const LIMIT: Duration = Duration::from_secs(600);

/// What QEMU emulates. Never the host's own virtualization, which may be there and not work. One thread for both processors: with one
/// each, one boot in twenty panicked.
const MACHINE: &str = "-accel tcg,thread=single,tb-size=512 -cpu max -smp 2 -m 2G -display none -nodefaults -no-user-config -no-reboot";

/// The kernel's command line: to the console, quietly; a panic ends the machine.
const COMMAND_LINE: &str = "console=ttyS0 panic=-1 quiet loglevel=3";

/// What to boot.
pub(crate) struct Machine {
    /// The kernel
    pub(crate) image: PathBuf,
    /// The first file system
    pub(crate) initrd: PathBuf,
    /// Where the console's output goes
    pub(crate) console: PathBuf,
}

impl Machine {
    /// How to start it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("qemu-system-x86_64");
        command.args(MACHINE.split(' '));
        command.arg("-serial").arg(file_argument(&self.console));
        command.arg("-kernel").arg(&self.image);
        command.arg("-initrd").arg(&self.initrd);
        command.args(["-append", COMMAND_LINE]);
        command
    }

    /// Runs it to its end, and gives what it wrote on its console. How QEMU ends says nothing.
    pub(crate) fn run(&self) -> Result<String> {
        let mut command = self.command();
        command.stdin(Stdio::null());
        tie(&mut command);
        let shown = cargo::show(&command);
        let mut child = command
            .spawn()
            .with_context(|| format!("start '{shown}'"))?;
        let ended = wait(&mut child);
        // Fine for one that has ended.
        let _ = child.kill();
        let _ = child.wait();
        ended.with_context(|| format!("its console is in {}", self.console.display()))?;
        let text = std::fs::read(&self.console)
            .with_context(|| format!("read {}", self.console.display()))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// A comma in the path would end it for QEMU.
fn file_argument(path: &Path) -> String {
    format!("file:{}", path.display().to_string().replace(',', ",,"))
}

fn wait(child: &mut Child) -> Result<()> {
    let start = Instant::now();
    loop {
        if child.try_wait().context("wait for QEMU")?.is_some() {
            return Ok(());
        }
        if signals::asked_to_stop() {
            bail!("it was stopped");
        }
        if start.elapsed() > LIMIT {
            bail!("the machine did not end within {} s", LIMIT.as_secs());
        }
        pause();
    }
}
