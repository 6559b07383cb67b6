//! Cgroups that tests have made, in the v2 hierarchy and in every v1 one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Tally;
use super::mounts;
use super::processes::{self, Process};

/// How the names of the tests' cgroups begin; whatever lies below one is the tests' too.
const PREFIX: &str = "insight-test-";

/// Kills the processes in them and removes them.
pub(super) fn clean(tally: &mut Tally) -> Result<()> {
    for mount in mounts::points(&["cgroup", "cgroup2"])? {
        let mut found = Vec::new();
        find(&mount, &mut found);
        for cgroup in found {
            tally.note(&cgroup.display().to_string(), remove(&cgroup));
        }
    }
    Ok(())
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
pub(crate) fn remove(cgroup: &Path) -> Result<()> {
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
