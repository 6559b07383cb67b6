//! The cluster's cgroups: the same tree in every hierarchy of this machine, v1 and v2.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::layout::{CGROUP, NODES, RUNTIME};
use crate::clean_host::cgroups::remove;
use crate::patience::wait_until;

/// How long killed processes, and the cgroups that they were in, may take to be gone: a container's file systems are unmounted first.
const END: Duration = Duration::from_secs(30);

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Where
    pub(crate) point: PathBuf,
    /// `cgroup` (v1) or `cgroup2`
    pub(crate) kind: String,
    /// How to mount it once more: its controllers or its name
    pub(crate) options: String,
}

/// Those of this machine, each once, in the order of their mounts.
pub(crate) fn hierarchies() -> Result<Vec<Hierarchy>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("read mountinfo")?;
    let found = parse(&mounts);
    ensure!(
        !found.is_empty(),
        "no cgroups are mounted on this machine: Kubernetes needs them"
    );
    Ok(found)
}

/// mountinfo: `… mount-point options [tags] - type source super-options`.
fn parse(mountinfo: &str) -> Vec<Hierarchy> {
    let mut seen = BTreeSet::new();
    let mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ');
        let (root, point) = (left.nth(3)?, left.next()?);
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1).unwrap_or_default());
        let general = ["rw", "ro", "xattr", "nsdelegate", "memory_recursiveprot"];
        let options: Vec<&str> = match kind {
            "cgroup" => options
                .split(',')
                .filter(|option| !general.contains(option) && !option.starts_with("release_agent"))
                .collect(),
            "cgroup2" => Vec::new(),
            _ => return None,
        };
        // Others are views of a part, as containers on this machine may have.
        let whole = root == "/" && point.starts_with("/sys/fs/cgroup");
        (whole && seen.insert((kind, options.clone()))).then(|| Hierarchy {
            point: point.into(),
            kind: kind.to_owned(),
            options: options.join(","),
        })
    });
    mounts.collect()
}

/// Makes the tree. `below` is the path of a cgroup under each hierarchy's root.
pub(crate) fn make(below: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        let mut folder = hierarchy.point.clone();
        for name in below.split('/') {
            // Not to the node's own processes: the first of them comes by the node's cgroup, which takes nobody once it delegates.
            // A kubelet delegates to its pods.
            if hierarchy.kind == "cgroup2" && name != RUNTIME {
                delegate(&folder);
            }
            let parent = folder.clone();
            folder.push(name);
            fs::create_dir_all(&folder)
                .with_context(|| format!("make cgroup {}", folder.display()))?;
            // A new cpuset is empty, and takes no process.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if hierarchy.kind == "cgroup" && folder.join(file).exists() {
                    let value = fs::read_to_string(parent.join(file))?;
                    fs::write(folder.join(file), value.trim())
                        .with_context(|| format!("write {file} of {}", folder.display()))?;
                }
            }
        }
    }
    Ok(())
}

/// Lets the children have every controller that v2 has here: none where v1 has them all.
fn delegate(folder: &Path) {
    let controllers = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        // One by one: some cannot be had, and others can nevertheless.
        let _ = fs::write(
            folder.join("cgroup.subtree_control"),
            format!("+{controller}"),
        );
    }
}

/// Takes back from a cgroup's children what they were given, so that a process may be in it: for a node whose processes have all ended.
pub(crate) fn take_back(below: &str) -> Result<()> {
    for hierarchy in hierarchies()?.iter().filter(|one| one.kind == "cgroup2") {
        let file = hierarchy.point.join(below).join("cgroup.subtree_control");
        let given =
            fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        for controller in given.split_whitespace() {
            fs::write(&file, format!("-{controller}"))
                .with_context(|| format!("write -{controller} to {}", file.display()))?;
        }
    }
    Ok(())
}

/// The `cgroup.procs` files of a cgroup, opened for a process that is to enter.
pub(crate) fn entrances(below: &str) -> Result<Vec<File>> {
    let open = |hierarchy: Hierarchy| {
        let path = hierarchy.point.join(below).join("cgroup.procs");
        OpenOptions::new()
            .write(true)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))
    };
    hierarchies()?.into_iter().map(open).collect()
}

/// Whether there is a tree of the cluster's.
pub(crate) fn is_there() -> Result<bool> {
    Ok(!existing(CGROUP)?.is_empty())
}

/// Kills all that is in the tree, whoever started it, and removes it. Says how many processes were there.
pub(crate) fn clear() -> Result<usize> {
    let mut killed = 0;
    // First those that would start others again.
    for node in &NODES {
        killed += kill(&node.runtime())?;
    }
    killed += kill(CGROUP)?;
    for top in existing(CGROUP)? {
        let mut result = Ok(());
        wait_until(END, || {
            result = remove(&top);
            result.is_ok()
        });
        result.with_context(|| format!("remove {}", top.display()))?;
    }
    Ok(killed)
}

/// Kills all that is in a cgroup and below it. Says how many processes were there.
pub(crate) fn kill(below: &str) -> Result<usize> {
    let folders = existing(below)?;
    let mut killed = BTreeSet::new();
    let empty = wait_until(END, || {
        let members: BTreeSet<i32> = folders.iter().flat_map(|folder| members(folder)).collect();
        for pid in members.iter().copied().filter_map(Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
        let empty = members.is_empty();
        killed.extend(members);
        empty
    });
    ensure!(empty, "processes in the cgroup {below} cannot be killed");
    Ok(killed.len())
}

/// A cgroup's folder in each hierarchy that has it.
fn existing(below: &str) -> Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> = hierarchies()?
        .into_iter()
        .map(|hierarchy| hierarchy.point.join(below))
        .collect();
    folders.retain(|folder| folder.exists());
    Ok(folders)
}

/// The processes of a cgroup and of all below it.
fn members(folder: &Path) -> Vec<i32> {
    let procs = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<i32> = procs.lines().filter_map(|id| id.parse().ok()).collect();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        found.extend(members(&entry.path()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_found_once_with_what_mounts_them_again() {
        let text = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n\
            40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n\
            42 31 0:38 / /sys/fs/cgroup/again rw - cgroup2 cgroup2 rw\n\
            43 31 0:38 /a /sys/fs/cgroup/part rw - cgroup2 cgroup2 rw\n";
        let found: Vec<_> = parse(text)
            .into_iter()
            .map(|found| (found.point, found.kind, found.options))
            .collect();
        let wanted = [
            ("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cpu,cpuacct"),
            ("/sys/fs/cgroup/systemd", "cgroup", "name=systemd"),
            ("/sys/fs/cgroup/unified", "cgroup2", ""),
        ];
        assert_eq!(
            found,
            wanted.map(|(point, kind, options)| (
                PathBuf::from(point),
                kind.to_owned(),
                options.to_owned()
            ))
        );
    }

    #[test]
    fn members_of_what_is_not_there_are_none() {
        assert!(members(Path::new("/no/such/cgroup")).is_empty());
    }
}
