//! Which sockets are counted: those whose cgroup lies at or below a directory.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use insight_ebpf::abi::SCOPE_ANY_LEVEL;

/// Inode of the root of every cgroup v2 hierarchy: kernfs gives it out first.
const ROOT_INODE: u64 = 1;

/// The counted part of the cgroup tree, as the kernel knows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// Id of the directory: its inode number.
    pub(super) cgroup: u64,
    /// Its depth; 0 is the whole tree.
    pub(super) level: u32,
}

impl Scope {
    pub(super) fn of(root: &Path, mount: &Path) -> Result<Self> {
        let inode = |path: &Path| -> Result<u64> {
            let data =
                std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
            Ok(data.ino())
        };
        let below = root
            .strip_prefix(mount)
            .map_or(0, |below| below.components().count());
        Ok(Self::new(inode(root)?, inode(mount)?, below))
    }

    /// Whether a mount shows the whole tree, so that a path from its root is one from the kernel's root.
    pub(super) fn is_whole(mount: &Path) -> bool {
        std::fs::metadata(mount).is_ok_and(|data| data.ino() == ROOT_INODE)
    }

    fn new(root: u64, mount: u64, below: usize) -> Self {
        let level = match (root, mount) {
            (ROOT_INODE, _) => 0,
            (_, ROOT_INODE) => u32::try_from(below).unwrap_or(SCOPE_ANY_LEVEL),
            // The mount shows a cgroup namespace or a part of the tree: how deep that lies is not visible.
            _ => SCOPE_ANY_LEVEL,
        };
        Self {
            cgroup: root,
            level,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_is_known_only_below_the_real_root() {
        assert_eq!(Scope::new(1, 1, 0).level, 0);
        assert_eq!(
            Scope::new(77, 1, 2),
            Scope {
                cgroup: 77,
                level: 2
            }
        );
        assert_eq!(Scope::new(77, 50, 2).level, SCOPE_ANY_LEVEL);
        assert_eq!(Scope::new(50, 50, 0).level, SCOPE_ANY_LEVEL);
    }
}
