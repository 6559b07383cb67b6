//! Cgroups of a test: `insight-test-<pid>-<n>` in the v2 hierarchy, and where asked the same path in v1 hierarchies.

mod mounts;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};

pub use mounts::Mounts;

use crate::ids;
use crate::wait::eventually;

/// The controllers whose files the agent reads.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "cpuacct"];

/// The top of one test's cgroups, and so an agent's `--cgroup-root`; removed with everything below it when dropped.
pub struct CgroupRoot {
    name: String,
    top: Cgroup,
}

impl CgroupRoot {
    /// Makes it in the v2 hierarchy only.
    pub fn new() -> Result<Self> {
        Self::make_in(Mounts::read()?.unified_only())
    }

    /// Makes it with memory and CPU controllers, wherever this machine has them: in v2, or the same path in v1.
    pub fn with_controllers() -> Result<Self> {
        Self::make_in(Mounts::read()?.only(&CONTROLLERS))
    }

    fn make_in(mounts: Mounts) -> Result<Self> {
        let name = format!("insight-test-{}", ids::suffix());
        let top = Cgroup {
            unified: mounts.unified,
            v1: mounts.v1,
        };
        Ok(Self {
            top: top.make_child(&name)?,
            name,
        })
    }

    /// The v2 directory.
    pub fn path(&self) -> &Path {
        &self.top.unified
    }

    /// Its path below the v2 mount.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes a cgroup below it, with its parents.
    pub fn make(&self, below: &str) -> Result<Cgroup> {
        below
            .split('/')
            .try_fold(self.top.clone(), |parent, name| parent.make_child(name))
    }
}

impl Drop for CgroupRoot {
    fn drop(&mut self) {
        for top in self.top.directories() {
            let removed = eventually(Duration::from_secs(10), "an empty cgroup", || {
                remove_tree(top).with_context(|| format!("remove {}", top.display()))
            });
            if let Err(error) = removed {
                eprintln!("left behind: {error:#}");
            }
        }
    }
}

/// A cgroup in every hierarchy that its root is in.
#[derive(Clone, Debug)]
pub struct Cgroup {
    /// Its v2 directory.
    pub unified: PathBuf,
    /// Its v1 directories by controller.
    pub v1: BTreeMap<String, PathBuf>,
}

impl Cgroup {
    fn make_child(&self, name: &str) -> Result<Self> {
        if !self.v1.is_empty() || self.has_controllers() {
            self.delegate();
        }
        let child = Self {
            unified: self.unified.join(name),
            v1: self
                .v1
                .iter()
                .map(|(controller, path)| (controller.clone(), path.join(name)))
                .collect(),
        };
        for directory in child.directories() {
            fs::create_dir_all(directory)
                .with_context(|| format!("make cgroup {}", directory.display()))?;
        }
        Ok(child)
    }

    /// Lets children have the controllers that this one has in v2. Harmless where it has none, or may not.
    fn delegate(&self) {
        for controller in ["memory", "cpu"] {
            let _ = fs::write(
                self.unified.join("cgroup.subtree_control"),
                format!("+{controller}"),
            );
        }
    }

    fn has_controllers(&self) -> bool {
        fs::read_to_string(self.unified.join("cgroup.controllers"))
            .is_ok_and(|controllers| controllers.contains("memory"))
    }

    /// Every directory that it has, once: v1 controllers may share one.
    pub fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        let mut seen: Vec<&PathBuf> = vec![&self.unified];
        for path in self.v1.values() {
            if !seen.contains(&path) {
                seen.push(path);
            }
        }
        seen.into_iter()
    }

    /// Its id: the inode number of the v2 directory.
    pub fn id(&self) -> Result<u64> {
        Ok(fs::metadata(&self.unified)?.ino())
    }

    /// A file's content: from the v1 hierarchy of `controller` if there is one, else from v2.
    pub fn read(&self, controller: &str, file: &str) -> Result<String> {
        let path = self.file(controller, file);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// Writes a file, found as by [`Cgroup::read`].
    pub fn write(&self, controller: &str, file: &str, value: &str) -> Result<()> {
        let path = self.file(controller, file);
        fs::write(&path, value).with_context(|| format!("write {value} to {}", path.display()))
    }

    fn file(&self, controller: &str, file: &str) -> PathBuf {
        self.v1.get(controller).unwrap_or(&self.unified).join(file)
    }

    /// Its `cgroup.procs` files, opened for a process that is to enter.
    pub fn entrances(&self) -> Result<Vec<File>> {
        self.directories()
            .map(|directory| {
                let path = directory.join("cgroup.procs");
                OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .with_context(|| format!("open {}", path.display()))
            })
            .collect()
    }
}

/// Kills what is still in the tree, which only this test put there, and removes its directories from the bottom up.
fn remove_tree(path: &Path) -> Result<()> {
    let procs = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    for pid in procs.lines().filter_map(|line| line.parse().ok()) {
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)?;
    Ok(())
}
