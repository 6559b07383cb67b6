//! ftrace instances that tests have made, and the mounts through which they did so.

use anyhow::{Context, Result};

use super::Tally;
use super::mounts;

/// How the names of the tests' instances begin.
const INSTANCE_PREFIX: &str = "insight-";
/// How the names of the folders begin on which tests mount tracefs.
const MOUNT_PREFIX: &str = "insight-tracefs-";

/// Removes the instances, then the mounts: all mounts show the same instances.
pub(super) fn clean(tally: &mut Tally) -> Result<()> {
    let points = mounts::points(&["tracefs"])?;
    for point in &points {
        let entries = std::fs::read_dir(point.join("instances"));
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(INSTANCE_PREFIX) {
                let removed = std::fs::remove_dir(entry.path()).context("rmdir");
                tally.note(&format!("ftrace instance {}", name.display()), removed);
            }
        }
    }
    mounts::unmount(&points, MOUNT_PREFIX, tally);
    Ok(())
}
