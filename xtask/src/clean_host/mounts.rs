//! File systems that tests have mounted on folders of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Tally;
use crate::cargo;

/// Mount points of file systems of these types.
pub(super) fn points(types: &[&str]) -> Result<Vec<PathBuf>> {
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

/// Unmounts those on folders whose names begin so, and removes the folders.
pub(super) fn unmount(points: &[PathBuf], prefix: &str, tally: &mut Tally) {
    for point in points.iter().filter(|point| named(point, prefix)) {
        let done = cargo::answer(Command::new("umount").arg("--").arg(point))
            .and_then(|_| std::fs::remove_dir(point).context("remove the mount point"));
        tally.note(&format!("mount {}", point.display()), done);
    }
}

fn named(point: &Path, prefix: &str) -> bool {
    let name = point.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(prefix)
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

    #[test]
    fn only_the_tests_mounts_are_ours() {
        assert!(named(Path::new("/tmp/insight-bpf-Ab12"), "insight-bpf-"));
        for other in ["/sys/fs/bpf", "/insight-bpf-1/bpf", "/"] {
            assert!(!named(Path::new(other), "insight-bpf-"), "{other}");
        }
    }
}
