//! A BPF file system of a test's own: what is pinned there is gone with it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A mounted BPF file system; unmounted when dropped, which detaches what is pinned in it.
pub struct BpfFs {
    mount: TempDir,
}

impl BpfFs {
    /// Mounts one.
    pub fn new() -> Result<Self> {
        let mount = TempDir::with_prefix("insight-bpf-")?;
        let done = Command::new("mount")
            .args(["-t", "bpf", "bpf"])
            .arg(mount.path())
            .status()
            .context("run mount")?;
        ensure!(done.success(), "mount a BPF file system: {done}");
        Ok(Self { mount })
    }

    /// A folder for `--pin-dir`.
    pub fn folder(&self) -> PathBuf {
        self.mount.path().join("insight")
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(self.mount.path()).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.mount.path().display());
        }
    }
}
