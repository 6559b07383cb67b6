//! Commands that need root: by sudo when we are somebody else.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::cargo::search_path;

/// How a command becomes root's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// We are root
    Already,
    /// sudo does it, perhaps after asking for a password
    Sudo,
}

impl Root {
    /// Finds out, and lets sudo ask for the password now rather than in the middle of something.
    pub(crate) fn obtain(for_what: &str) -> Result<Self> {
        if rustix::process::geteuid().is_root() {
            return Ok(Self::Already);
        }
        // `-v` asks when there is somebody to ask; `-n true` also covers passwordless rules without a terminal.
        let sudo = |args: &[&str], errors: Stdio| {
            Command::new("sudo")
                .args(args)
                .stderr(errors)
                .status()
                .is_ok_and(|status| status.success())
        };
        if sudo(&["-n", "true"], Stdio::null()) {
            return Ok(Self::Sudo);
        }
        println!("{for_what} needs root, asking sudo");
        if sudo(&["-v"], Stdio::inherit()) {
            return Ok(Self::Sudo);
        }
        bail!("{for_what} needs root, and sudo is not installed or refused: run this as root")
    }

    /// Keeps sudo from forgetting the password.
    pub(crate) fn renew(self) {
        if self == Self::Sudo {
            // A failure shows when root is needed the next time.
            let _ = Command::new("sudo")
                .args(["-n", "-v"])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// The program as root, with the named environment variables kept. In the foreground: sudo may ask for the password.
    pub(crate) fn command(self, program: impl AsRef<OsStr>, keep: &[&str]) -> Command {
        match self {
            Self::Already => {
                let mut command = Command::new(program);
                command.env("PATH", search_path());
                command
            }
            Self::Sudo => {
                let mut command = Command::new("sudo");
                if !keep.is_empty() {
                    command.arg(format!("--preserve-env={}", keep.join(",")));
                }
                command.arg("--").arg(program);
                command
            }
        }
    }

    /// The program as root, in the background. There sudo cannot ask, and would wait for ever: it fails at once instead.
    pub(crate) fn background(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Already => self.command(program, &[]),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.arg("-n").arg("--").arg(program);
                command
            }
        }
    }
}
