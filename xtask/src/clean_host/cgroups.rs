//! Cgroups that tests have made, in the v2 hierarchy and in every v1 one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Tally;
use super::processes::{self, Process};

/// How the names of the tests' cgroups begin; whatever lies below one is the tests' too.
const PREFIX: &str = "insight-test-";

/// Kills the processes in them and removes them.
pub(super) fn clean(tally: &mut Tally) -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").context("read mountinfo")?;
    for mount in cgroup_mounts(&mounts) {
        let mut found = Vec::new();
        find(&mount, &mut found);
        for cgroup in found {
            tally.note(&cgroup.display().to_string(), remove(&cgroup));
        }
    }
    Ok(())
}

/// Mount points of type cgroup and cgroup2. mountinfo: `… mount-point options [tags] - type source options`.
fn cgroup_mounts(mountinfo: &str) -> Vec<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let kind = right.split(' ').next()?;
        let point = left.split(' ').nth(4)?;
        matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(point))
    });
    mounts.collect()
}

/// The topmost cgroups of ours below a folder.
fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for child in children(folder) {
        let name = child.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(PREFIX) {
            found.push(child);
        } else {
            find(&child, found);
        }
    }
}

fn children(folder: &Path) -> Vec<PathBuf> {
    // A cgroup may vanish while we look.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// From the leaves upwards: the kernel removes only cgroups without children and processes.
fn remove(cgroup: &Path) -> Result<()> {
    for child in children(cgroup) {
        remove(&child)?;
    }
    let file = cgroup.join("cgroup.procs");
    let list = match std::fs::read_to_string(&file) {
        Ok(list) => list,
        // Threaded cgroups do not tell: their processes are listed further up.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let members: Vec<Process> = list
        .lines()
        .filter_map(|id| Process::find(id.parse().ok()?))
        .collect();
    processes::kill(&members)?;
    std::fs::remove_dir(cgroup).context("rmdir")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_mounts_are_found() {
        let text = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
            32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:5 - cgroup cgroup rw,cpu\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let expected = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        assert_eq!(cgroup_mounts(text), expected);
    }

    #[test]
    fn only_our_topmost_folders_are_found() {
        let top = std::env::temp_dir().join(format!("insight-clean-{}", std::process::id()));
        for path in [
            "a/insight-test-1/insight-test-2",
            "insight-test-3",
            "insight-teste",
            "b",
        ] {
            std::fs::create_dir_all(top.join(path)).unwrap();
        }
        let mut found = Vec::new();
        find(&top, &mut found);
        found.sort();
        assert_eq!(
            found,
            [top.join("a/insight-test-1"), top.join("insight-test-3")]
        );
        std::fs::remove_dir_all(top).unwrap();
    }
}
