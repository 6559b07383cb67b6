//! Who may use the cluster now: all tests of this machine at once, or one that disturbs the others.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};

/// Not in the cluster's own folder, which is not there before the cluster is.
const FOLDER: &str = "/run/lock";
const NAME: &str = "insight-cluster-tests";
/// A node takes one image at a time.
const IMAGES: &str = "insight-cluster-images";

/// Held by whoever uses the cluster; the kernel gives it back when the process ends, however.
#[derive(Debug)]
pub(super) struct Turn(File);

impl Turn {
    /// Waits until nobody is alone.
    pub(super) fn with_others() -> Result<Self> {
        let turn = Self::in_folder(Path::new(FOLDER), NAME)?;
        turn.take(FlockOperation::LockShared)?;
        Ok(turn)
    }

    /// Waits until nobody gives images to nodes.
    pub(super) fn with_images() -> Result<Self> {
        let turn = Self::in_folder(Path::new(FOLDER), IMAGES)?;
        turn.take(FlockOperation::LockExclusive)?;
        Ok(turn)
    }

    fn in_folder(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let open = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = open.with_context(|| format!("open {}", path.display()))?;
        Ok(Self(file))
    }

    /// Waits until the others are done, and does something while they wait. Two that want to be alone do not wait for each other: who waits has
    /// nothing, flock(2).
    pub(super) fn alone<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.take(FlockOperation::LockExclusive)?;
        let done = work();
        self.take(FlockOperation::LockShared)?;
        done
    }

    fn take(&self, how: FlockOperation) -> Result<()> {
        flock(&self.0, how).context("wait for one's turn at the cluster")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_alone_when_the_others_are_done() {
        let folder = tempfile::tempdir().unwrap();
        let turn = || {
            let turn = Turn::in_folder(folder.path(), NAME).unwrap();
            turn.take(FlockOperation::LockShared).unwrap();
            turn
        };
        let (one, other) = (turn(), turn());
        let tried = |turn: &Turn, how| flock(&turn.0, how).is_ok();
        assert!(!tried(&one, FlockOperation::NonBlockingLockExclusive));
        drop(other);
        let another = one.alone(|| {
            let file = File::open(folder.path().join(NAME))?;
            let another = Turn(file);
            assert!(!tried(&another, FlockOperation::NonBlockingLockShared));
            Ok(another)
        });
        assert!(tried(
            &another.unwrap(),
            FlockOperation::NonBlockingLockShared
        ));
    }
}
