//! One node, which ends with its guard.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{Place, end_child, put};
use crate::wait::eventually;

/// Cassandra's port for clients.
const PORT: u16 = 9042;

/// How long a node may take to answer: 6 s when nothing else runs.
const READY: Duration = Duration::from_secs(180);

/// Lines of the log that an error shows.
const TAIL: usize = 30;

/// A node that may run or not.
pub(super) struct Node {
    folder: PathBuf,
    pub(super) address: Ipv4Addr,
    token: i128,
    seed: Ipv4Addr,
    child: Option<Child>,
}

impl Node {
    pub(super) fn new(folder: PathBuf, address: Ipv4Addr, token: i128, seed: Ipv4Addr) -> Self {
        Self {
            folder,
            address,
            token,
            seed,
            child: None,
        }
    }

    /// Adds settings, before its first start.
    pub(super) fn configure(&self, more: &str) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(self.folder.join("more.yaml"), more).context("write more settings")
    }

    /// Starts it, with what it had kept, and waits until clients can connect.
    pub(super) fn start(&mut self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))?;
        let delay = if self.address == self.seed {
            "100"
        } else {
            "3000"
        };
        let mut command = Command::new(home()?.join("start"));
        command
            .arg(&self.folder)
            .args([
                &self.address.to_string(),
                &self.token.to_string(),
                &self.seed.to_string(),
                delay,
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        put(&mut command, Place::default());
        let child = self.child.insert(
            command
                .spawn()
                .with_context(|| format!("start {command:?}"))?,
        );
        let address = SocketAddr::from((self.address, PORT));
        let ready = eventually(READY, "Cassandra to answer", || match child.try_wait()? {
            // Nothing more to wait for.
            Some(status) => Ok(Err(status)),
            None => Ok(Ok(TcpStream::connect_timeout(
                &address,
                Duration::from_secs(1),
            )
            .map(drop)?)),
        });
        match ready {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => bail!(
                "Cassandra ended with {status}; its log ends\n{}",
                self.tail()
            ),
            Err(error) => Err(error.context(format!("its log ends\n{}", self.tail()))),
        }
    }

    /// Kills it, with SIGKILL.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            end_child(&mut child);
        }
    }

    fn tail(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where xtask keeps Cassandra's jars and the program that becomes a node.
fn home() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME says where the cache is")?;
    let home = cache.join("insight/cassandra-5.0");
    anyhow::ensure!(
        home.join("start").is_file(),
        "there is no Cassandra in {}: run `cargo xtask cassandra up` once",
        home.display()
    );
    Ok(home)
}
