//! Asks in the network namespace of a pod: where a sidecar or a CNI translates there, the node's own tables know nothing of it.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::message::Tuple;
use super::socket::{Asker, Refused};
use crate::kernel::holds;

/// Bytes of `cgroup.procs` that hold the first process ids.
const FIRST: u64 = 64;

/// The way into other namespaces, if this process may go it.
pub(super) struct Elsewhere {
    /// The cgroup v2 mount.
    mount: PathBuf,
    reason: Option<String>,
}

impl Elsewhere {
    pub(super) fn new(mount: PathBuf) -> Self {
        let missing: Vec<&str> = ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]
            .into_iter()
            .filter(|name| !holds(name))
            .collect();
        let reason = (!missing.is_empty()).then(|| format!("missing {}", missing.join(" and ")));
        Self { mount, reason }
    }

    pub(super) fn none() -> Self {
        Self {
            mount: PathBuf::new(),
            reason: Some("not wanted".to_owned()),
        }
    }

    /// Why not.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    pub(super) fn is_allowed(&self) -> bool {
        self.reason.is_none()
    }

    /// How the server of a connection replies, as the network namespace of a cgroup's first process knows it. `None` if it does not.
    pub(super) fn ask(&self, cgroup: &str, tuple: &Tuple) -> Option<Tuple> {
        if !self.is_allowed() || cgroup.is_empty() {
            return None;
        }
        match self.enter_and_ask(cgroup, tuple) {
            Ok(reply) => reply,
            // Mostly a pod that has just ended.
            Err(error) => {
                tracing::debug!(cgroup, "connection tracking was not asked: {error:#}");
                None
            }
        }
    }

    fn enter_and_ask(&self, cgroup: &str, tuple: &Tuple) -> Result<Option<Tuple>> {
        let processes = self
            .mount
            .join(cgroup.trim_start_matches('/'))
            .join("cgroup.procs");
        let mut text = String::new();
        let file =
            File::open(&processes).with_context(|| format!("open {}", processes.display()))?;
        file.take(FIRST).read_to_string(&mut text)?;
        // 0 is a process outside of our own namespace of process ids.
        let process = text.lines().next().filter(|process| *process != "0");
        let process = process.context("no process is left there, or none is visible")?;
        let path = format!("/proc/{process}/ns/net");
        let namespace = File::open(&path).with_context(|| format!("open {path}"))?;
        // A thread of its own, which ends there: nothing else of this program ever leaves its network namespace. The socket goes with it, so that
        // no namespace is kept alive.
        let ask = || -> Result<Option<Tuple>> {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .context("enter the network namespace")?;
            match Asker::open()?.ask(tuple) {
                Ok(reply) => Ok(Some(reply)),
                Err(Refused::NotTracked) => Ok(None),
                Err(Refused::Failed(error)) => Err(error),
            }
        };
        std::thread::scope(|scope| {
            let asking = scope.spawn(ask);
            asking
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the question panicked")))
        })
    }
}
