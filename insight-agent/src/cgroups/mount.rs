//! Where the cgroup hierarchies are mounted, from `/proc/self/mountinfo`.
//!
//! Hybrid hosts have v2 at `/sys/fs/cgroup/unified` and the controllers on v1. In a pod, the host's tree is mounted
//! wherever its manifest says.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: PathBuf,
    /// What of the hierarchy is mounted there, as the reader's cgroup namespace shows it: "/" is the namespace's root,
    /// "/.." lies above it.
    pub root: String,
    /// v1 controllers, for example `["cpu", "cpuacct"]` or `["name=systemd"]`; empty for v2.
    pub controllers: Vec<String>,
}

/// Every cgroup mount that this process sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mounts {
    /// cgroup v2 mounts, the best one first.
    pub v2: Vec<Mount>,
    /// cgroup v1 mounts in the order of mountinfo.
    pub v1: Vec<Mount>,
}

/// The v1 hierarchies that stand in for v2's controllers; `None` for one that is not mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct V1 {
    /// `cpu`: quota and throttling.
    pub cpu: Option<PathBuf>,
    /// `cpuacct`: CPU time.
    pub cpuacct: Option<PathBuf>,
    /// `memory`.
    pub memory: Option<PathBuf>,
}

impl Mounts {
    /// Reads this process's mounts.
    pub fn read() -> anyhow::Result<Self> {
        let bytes = std::fs::read(MOUNTINFO).with_context(|| {
            format!("cannot read {MOUNTINFO} to find the cgroup mounts; is /proc mounted?")
        })?;
        Ok(Self::of(&bytes))
    }

    /// As [`Self::parse`]. Anybody's mount may have a name that is not UTF-8, a stick's for example; the others are found all the same.
    fn of(mountinfo: &[u8]) -> Self {
        Self::parse(&String::from_utf8_lossy(mountinfo))
    }

    /// Picks the cgroup mounts out of the text of a mountinfo file (proc(5)).
    pub fn parse(text: &str) -> Self {
        let mut mounts = Self::default();
        for (is_v2, mount) in text.lines().filter_map(line) {
            let list = if is_v2 {
                &mut mounts.v2
            } else {
                &mut mounts.v1
            };
            // A later mount on the same point covers the earlier one.
            list.retain(|earlier| earlier.point != mount.point);
            list.push(mount);
        }
        mounts.v2.sort_by_key(preference);
        mounts
    }

    /// The mount point of the best cgroup v2 mount, or an error that says what to do.
    pub fn default_v2(&self) -> anyhow::Result<&Path> {
        match self.v2.first() {
            Some(mount) => Ok(&mount.point),
            None => bail!(
                "no cgroup v2 mount in {MOUNTINFO}, and flows are owned by cgroup v2 directories; mount one with \
                 `mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified`, or in a container \
                 mount the host's /sys/fs/cgroup"
            ),
        }
    }

    /// The cgroup v2 mount that `path` lies in.
    pub fn v2_of(&self, path: &Path) -> Option<&Path> {
        self.v2
            .iter()
            .map(|mount| mount.point.as_path())
            .filter(|point| path.starts_with(point))
            .max_by_key(|point| point.components().count())
    }

    /// The v1 hierarchies beside the v2 mount `v2`; where one is mounted twice, the one that shares more of `v2`'s path.
    pub fn v1_beside(&self, v2: &Path) -> V1 {
        let find = |controller: &str| {
            self.v1
                .iter()
                .filter(|mount| mount.controllers.iter().any(|name| name == controller))
                // `max_by_key` takes the last of equals, mountinfo's last is on top.
                .max_by_key(|mount| shared(&mount.point, v2))
                .map(|mount| mount.point.clone())
        };
        V1 {
            cpu: find("cpu"),
            cpuacct: find("cpuacct"),
            memory: find("memory"),
        }
    }
}

fn shared(one: &Path, other: &Path) -> usize {
    let pairs = one.components().zip(other.components());
    pairs.take_while(|(a, b)| a == b).count()
}

/// Lower is better: a view from above this process's namespace (the host's tree in a pod), then the usual places.
fn preference(mount: &Mount) -> (usize, bool, usize) {
    let above = mount.root.split('/').filter(|s| *s == "..").count();
    let place = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .iter()
        .position(|usual| mount.point == Path::new(usual))
        .unwrap_or(usize::MAX);
    (usize::MAX - above, above == 0 && mount.root != "/", place)
}

/// `36 35 98:0 /root /point rw,noatime shared:1 - cgroup2 none rw`; the optional fields end at "-".
fn line(text: &str) -> Option<(bool, Mount)> {
    let (mount, filesystem) = text.split_once(" - ")?;
    let mut filesystem = filesystem.split(' ');
    let is_v2 = match filesystem.next()? {
        "cgroup2" => true,
        "cgroup" => false,
        _ => return None,
    };
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (mount.next()?, mount.next()?);
    let controllers = match is_v2 {
        true => Vec::new(),
        false => filesystem
            .nth(1)?
            .split(',')
            .filter(|option| {
                !matches!(
                    *option,
                    "rw" | "ro" | "xattr" | "noprefix" | "clone_children"
                )
            })
            .map(str::to_owned)
            .collect(),
    };
    let mount = Mount {
        point: PathBuf::from(unescape(point)),
        root: unescape(root),
        controllers,
    };
    Some((is_v2, mount))
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let digits = after
            .get(..3)
            .and_then(|octal| u8::from_str_radix(octal, 8).ok());
        match digits.filter(u8::is_ascii) {
            Some(byte) => {
                plain.push(char::from(byte));
                rest = &after[3..];
            }
            None => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
#[path = "mount_tests.rs"]
mod tests;
