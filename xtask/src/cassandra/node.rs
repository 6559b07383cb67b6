//! One node that goes on running when we end.

use std::fs::{self, OpenOptions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::Home;
use crate::clean_host::processes::{self, Process};

/// How much of a log explains an end.
const LAST_LINES: usize = 20;

/// The node of this number in a folder for all.
pub(super) struct Node {
    folder: PathBuf,
    number: u8,
}

impl Node {
    pub(super) fn new(state: &Path, number: u8) -> Self {
        Self {
            folder: state.join(format!("node-{number}")),
            number,
        }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        format!("127.0.42.{}", self.number + 1)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Starts it, detached.
    pub(super) fn start(&self, home: &Home, nodes: u8) -> Result<Child> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("make {}", self.folder.display()))?;
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .context("open its log")?;
        let delay = if self.number == 0 { "100" } else { "3000" };
        let mut command = Command::new(home.folder.join("start"));
        command
            .arg(&self.folder)
            .args([
                &self.address(),
                &token(self.number, nodes).to_string(),
                "127.0.42.1",
                delay,
            ])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        command.spawn().with_context(|| format!("run {command:?}"))
    }

    /// Its process, if it runs: the noted one, if that one's command names this folder.
    pub(super) fn running(&self) -> Option<u32> {
        let id: u32 = fs::read_to_string(self.folder.join("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let words = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let folder = self.folder.to_str()?;
        String::from_utf8_lossy(&words)
            .contains(folder)
            .then_some(id)
    }

    /// Whether it takes CQL connections.
    pub(super) fn answers(&self) -> bool {
        let address: Option<SocketAddr> = format!("{}:9042", self.address()).parse().ok();
        self.running().is_some()
            && address.is_some_and(|address| {
                TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
            })
    }

    /// Kills it, if it runs: its data goes, too.
    pub(super) fn end(&self) -> Result<()> {
        let process = self.running().and_then(Process::find);
        process.map_or(Ok(()), |process| processes::kill(&[process]))
    }

    pub(super) fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// Where the node's part of the ring ends: equal parts.
fn token(number: u8, nodes: u8) -> i128 {
    i128::from(i64::MIN) + (1_i128 << 64) / i128::from(nodes) * i128::from(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_part_the_ring_equally() {
        let tokens = [0, 1, 2].map(|number| token(number, 3));
        assert_eq!(tokens[0], i128::from(i64::MIN));
        assert!(tokens.iter().all(|token| i64::try_from(*token).is_ok()));
        assert_eq!(tokens[1] - tokens[0], tokens[2] - tokens[1]);
    }

    #[test]
    fn a_node_that_was_never_started_does_not_run() {
        let node = Node::new(Path::new("/nowhere"), 2);
        assert_eq!((node.running(), node.answers()), (None, false));
        assert_eq!(node.address(), "127.0.42.3");
        node.end().unwrap();
    }
}
