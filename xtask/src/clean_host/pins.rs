//! Pinned BPF objects of agents that were killed.

use std::path::Path;

use anyhow::{Context, Result};

use super::Tally;
use crate::up::pins::{FOLDER, PREFIX};

/// Unpins them, which detaches their programs.
pub(super) fn clean(tally: &mut Tally) -> Result<()> {
    let entries = std::fs::read_dir(FOLDER).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let path = entry.path();
            tally.note(&path.display().to_string(), remove(&path));
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    if path.is_dir() {
        std::fs::remove_dir_all(path).context("remove the folder")
    } else {
        std::fs::remove_file(path).context("unpin")
    }
}
