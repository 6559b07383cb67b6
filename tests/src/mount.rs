//! A file system of a test's own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A mounted file system; unmounted when dropped.
pub struct Mount(TempDir);

impl Mount {
    /// Mounts one of this type on a new folder, whose name begins so.
    pub fn new(kind: &str, prefix: &str) -> Result<Self> {
        let folder = TempDir::with_prefix(prefix)?;
        run(Command::new("mount")
            .args(["-t", kind, "none"])
            .arg(folder.path()))?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, so that whatever happens the folder is empty when it is removed.
        if let Err(error) = run(Command::new("umount").arg("-l").arg(self.path())) {
            eprintln!("left behind: {error:#}");
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
