//! ftrace instances that tests have made, and the mounts through which they did so.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Tally, mount_points};
use crate::cargo;

/// How the names of the tests' instances begin.
const INSTANCE_PREFIX: &str = "insight-";
/// How the names of the folders begin on which tests mount tracefs.
const MOUNT_PREFIX: &str = "insight-tracefs-";

/// Removes the instances, then the mounts: all mounts show the same instances.
pub(super) fn clean(tally: &mut Tally) -> Result<()> {
    let mounts = mount_points(&["tracefs"])?;
    for mount in &mounts {
        let entries = std::fs::read_dir(mount.join("instances"));
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(INSTANCE_PREFIX) {
                let removed = std::fs::remove_dir(entry.path()).context("rmdir");
                tally.note(&format!("ftrace instance {}", name.display()), removed);
            }
        }
    }
    for mount in mounts.iter().filter(|mount| ours(mount)) {
        let unmounted = cargo::answer(Command::new("umount").arg(mount))
            .and_then(|_| std::fs::remove_dir(mount).context("rmdir"));
        tally.note(&format!("mount {}", mount.display()), unmounted);
    }
    Ok(())
}

fn ours(mount: &Path) -> bool {
    let name = mount.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(MOUNT_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_mount_is_not_ours() {
        assert!(ours(Path::new("/tmp/insight-tracefs-Ab12")));
        for other in ["/sys/kernel/tracing", "/insight-tracefs-1/tracing", "/"] {
            assert!(!ours(Path::new(other)), "{other}");
        }
    }
}
