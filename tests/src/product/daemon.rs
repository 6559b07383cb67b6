//! A program that runs until it is stopped, with its log.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Place, end_child, put, signal_child, wait_child};
use crate::reader::http::get_from;
use crate::seccomp::Profile;
use crate::wait::{PATIENCE, eventually};

/// How long a program may take to stop after SIGTERM.
const STOP: Duration = Duration::from_secs(30);

/// Lines of the log that errors and failed tests show.
const TAIL: usize = 40;

/// A program with fixed arguments that can be stopped, killed and started again.
pub struct Daemon {
    name: String,
    program: PathBuf,
    /// What starts the program instead of us, with its own arguments first.
    starter: Vec<String>,
    args: Vec<String>,
    env: Vec<(&'static str, &'static str)>,
    profile: Option<Profile>,
    http: SocketAddr,
    child: Option<Child>,
    // Holds the log, which a restart continues.
    folder: TempDir,
}

impl Daemon {
    /// Prepares it; it does not run yet. `http_port` is where it answers `/readyz`.
    pub fn new(name: &str, args: Vec<String>, http_port: u16) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            program: super::program(name)?,
            starter: Vec::new(),
            args,
            env: Vec::new(),
            profile: None,
            http: (Ipv4Addr::LOCALHOST, http_port).into(),
            child: None,
            folder: TempDir::with_prefix(format!("{name}-"))?,
        })
    }

    /// Lets another program start it, which gets the program and its arguments after its own. Such a daemon is to be killed,
    /// not stopped: the signal goes to the starter.
    #[must_use]
    pub fn started_by(mut self, starter: &[&str]) -> Self {
        self.starter = starter.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Lets it be asked there, not at its port of 127.0.0.1.
    #[must_use]
    pub fn asked_at(mut self, http: SocketAddr) -> Self {
        self.http = http;
        self
    }

    /// Adds to its environment from its next start on.
    pub fn set_env(&mut self, name: &'static str, value: &'static str) {
        self.env.push((name, value));
    }

    /// Adds to its arguments from its next start on.
    pub fn add_args(&mut self, args: &[&str]) {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
    }

    /// Starts it under a seccomp profile from its next start on.
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = Some(profile);
    }

    /// Starts it.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "{} already runs", self.name);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut words = self.starter.iter().map(OsStr::new);
        let mut command = match words.next() {
            Some(starter) => Command::new(starter),
            None => Command::new(&self.program),
        };
        if !self.starter.is_empty() {
            command.args(words).arg(&self.program);
        }
        command
            .args(&self.args)
            .envs(self.env.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        put(&mut command, Place::default());
        if let Some(profile) = &self.profile {
            profile.clone().confine(&mut command);
        }
        let child = command
            .spawn()
            .with_context(|| format!("start {command:?}"))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until `/readyz` answers 200.
    pub fn wait_ready(&mut self) -> Result<()> {
        let (name, http) = (self.name.clone(), self.http);
        let what = format!("{name} to be ready");
        let child = self.child.as_mut().context("it was not started")?;
        let ready = eventually(PATIENCE, &what, || {
            if let Some(status) = child.try_wait()? {
                // Nothing more to wait for; the caller sees it in the outer result.
                return Ok(Err(status));
            }
            let answer = get_from(http, "/readyz")?;
            ensure!(
                answer.status == 200,
                "/readyz answers {}: {}",
                answer.status,
                answer.body
            );
            Ok(Ok(()))
        });
        match ready {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => bail!("{name} ended with {status}; its log ends\n{}", self.tail()),
            Err(error) => Err(error.context(format!("its log ends\n{}", self.tail()))),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Result<u32> {
        let child = self.child.as_ref();
        Ok(child.context("it does not run")?.id())
    }

    /// Stops it with SIGTERM, and expects that to work.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.end(Signal::TERM)?;
        ensure!(
            status.success(),
            "{} ended with {status} after SIGTERM; its log ends\n{}",
            self.name,
            self.tail()
        );
        Ok(())
    }

    /// Sends it a signal that it survives.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("it does not run")?;
        signal_child(child, signal)
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.end(Signal::KILL).map(drop)
    }

    fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        let mut child = self.child.take().context("it does not run")?;
        signal_child(&child, signal)?;
        let ended = wait_child(&mut child, &self.name, STOP);
        end_child(&mut child);
        ended
    }

    /// Resident memory, bytes.
    pub fn resident(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid()?);
        let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
            .with_context(|| format!("no VmRSS in {path}"))?;
        Ok(kib * 1024)
    }

    /// All it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // An agent that is stopped properly also removes what it left in the kernel.
        if self.child.is_some() && self.stop().is_err() {
            eprintln!("{} did not stop properly", self.name);
        }
        // Shown with a failed test only.
        eprintln!("--- end of the log of {}:\n{}\n---", self.name, self.tail());
    }
}
