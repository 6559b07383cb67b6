//! BPF file systems that tests have mounted: what is pinned there keeps programs attached.

use anyhow::{Context, Result, ensure};

use super::Tally;

/// How the names of the tests' mount points begin.
const PREFIX: &str = "insight-bpf-";

/// Unmounts them, which detaches their programs, and removes the mount points.
pub(super) fn clean(tally: &mut Tally) -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").context("read /proc/self/mounts")?;
    for point in ours(&mounts) {
        tally.note(point, unmount(point));
    }
    Ok(())
}

/// A line: `source mount-point type options 0 0`.
fn ours(mounts: &str) -> impl Iterator<Item = &str> {
    mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        let name = point.rsplit('/').next()?;
        (kind == "bpf" && name.starts_with(PREFIX)).then_some(point)
    })
}

fn unmount(point: &str) -> Result<()> {
    let done = std::process::Command::new("umount")
        .args(["--", point])
        .status()
        .context("run umount")?;
    ensure!(done.success(), "umount ended with {done}");
    std::fs::remove_dir(point).context("remove the mount point")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tests_mounts_are_found() {
        let mounts = "bpf /sys/fs/bpf bpf rw 0 0\nbpf /tmp/insight-bpf-a1 bpf rw 0 0\ntmpfs /tmp/insight-bpf-b tmpfs rw 0 0\n";
        assert_eq!(ours(mounts).collect::<Vec<_>>(), ["/tmp/insight-bpf-a1"]);
    }
}
