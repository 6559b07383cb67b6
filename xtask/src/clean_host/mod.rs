//! Removes what tests that were killed may have left on this host: only things that carry our names.

mod cgroups;
mod network;
mod pins;
pub(crate) mod processes;
mod tracing;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::cargo;
use crate::root::Root;

/// What was done, and what could not be.
#[derive(Default)]
struct Tally {
    removed: usize,
    problems: Vec<String>,
}

impl Tally {
    /// Notes one attempt.
    fn note(&mut self, what: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                println!("removed {what}");
                self.removed += 1;
            }
            Err(error) => self.problems.push(format!("{what}: {error:#}")),
        }
    }
}

/// Cleans, as root.
pub(crate) fn run() -> Result<()> {
    let root = Root::obtain("cleaning the host")?;
    if root == Root::Sudo {
        let own = std::env::current_exe()?;
        return cargo::run(root.command(own, &[]).arg("clean-host"));
    }
    let mut tally = Tally::default();
    // Processes first, then what they hold: a namespace lives as long as somebody is in it.
    cgroups::clean(&mut tally)?;
    network::clean(&mut tally)?;
    pins::clean(&mut tally)?;
    tracing::clean(&mut tally)?;
    ensure!(
        tally.problems.is_empty(),
        "not everything could be removed:\n  {}",
        tally.problems.join("\n  ")
    );
    if tally.removed == 0 {
        println!("nothing to clean");
    }
    Ok(())
}

/// Mount points of file systems of these types.
fn mount_points(types: &[&str]) -> Result<Vec<PathBuf>> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").context("read mountinfo")?;
    Ok(points_in(&mounts, types))
}

/// mountinfo: `… mount-point options [tags] - type source options`.
fn points_in(mountinfo: &str, types: &[&str]) -> Vec<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?;
        types
            .contains(&right.split(' ').next()?)
            .then(|| PathBuf::from(point))
    });
    mounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_found_by_type() {
        let text = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
            32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:5 - cgroup cgroup rw,cpu\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let expected = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        assert_eq!(points_in(text, &["cgroup", "cgroup2"]), expected);
        assert!(points_in(text, &["tracefs"]).is_empty());
    }
}
