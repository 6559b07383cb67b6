//! Where the cgroup hierarchies are mounted.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Mount points of the hierarchies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts {
    /// The v2 hierarchy.
    pub unified: PathBuf,
    /// v1 hierarchies by controller.
    pub v1: BTreeMap<String, PathBuf>,
}

impl Mounts {
    /// Those of this machine.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string("/proc/self/mountinfo").context("read the mount table")?;
        parse(&text).context("no cgroup v2 mount; `mount -t cgroup2 none /sys/fs/cgroup/unified`")
    }

    /// Without the v1 hierarchies.
    pub fn unified_only(self) -> Self {
        self.only(&[])
    }

    /// With the v1 hierarchies of these controllers only.
    pub fn only(mut self, controllers: &[&str]) -> Self {
        self.v1
            .retain(|controller, _| controllers.contains(&controller.as_str()));
        self
    }
}

fn parse(mountinfo: &str) -> Option<Mounts> {
    let mut unified = None;
    let mut v1 = BTreeMap::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let Some(point) = before.split(' ').nth(4).map(PathBuf::from) else {
            continue;
        };
        let mut after = after.split(' ');
        match after.next() {
            Some("cgroup2") if unified.is_none() => unified = Some(point),
            Some("cgroup") => {
                for option in after.nth(1).unwrap_or_default().split(',') {
                    v1.entry(option.to_owned()).or_insert_with(|| point.clone());
                }
            }
            _ => {}
        }
    }
    Some(Mounts {
        unified: unified?,
        v1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
25 20 0:21 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
31 25 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 25 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";

    #[test]
    fn reads_a_hybrid_host() {
        let mounts = parse(HYBRID).unwrap();
        assert_eq!(mounts.unified, PathBuf::from("/sys/fs/cgroup/unified"));
        assert_eq!(mounts.v1["cpu"], mounts.v1["cpuacct"]);
        let memory = mounts.only(&["memory"]).v1;
        assert_eq!(memory.len(), 1);
        assert_eq!(memory["memory"], PathBuf::from("/sys/fs/cgroup/memory"));
    }

    #[test]
    fn needs_a_v2_mount() {
        assert_eq!(parse(HYBRID.rsplit_once('\n').unwrap().0), None);
    }
}
