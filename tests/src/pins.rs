//! A BPF file system of a test's own: what is pinned there is gone with it.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::mount::Mount;

/// A mounted BPF file system. Unmounting it detaches what is pinned there.
pub struct BpfFs(Mount);

impl BpfFs {
    /// Mounts one.
    pub fn new() -> Result<Self> {
        Ok(Self(Mount::new("bpf", "insight-bpf-")?))
    }

    /// A folder for `--pin-dir`.
    pub fn folder(&self) -> PathBuf {
        self.0.path().join("insight")
    }

    /// The folder below it of the version that runs.
    pub fn version(&self) -> Result<PathBuf> {
        let entry = std::fs::read_dir(self.folder())?.next();
        Ok(entry.context("nothing is pinned")??.path())
    }
}
