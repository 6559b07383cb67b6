//! Pinned BPF objects: they outlive the agent by design, so `up` looks after those that its own agent has made.

use anyhow::{Result, ensure};

use crate::cargo;
use crate::root::Root;

/// Where they are.
pub(crate) const FOLDER: &str = "/sys/fs/bpf";
/// How their names begin.
pub(crate) const PREFIX: &str = "insight";

/// Their names. Asked through root: others cannot even list the folder.
pub(crate) fn list(root: Root) -> Vec<String> {
    // Where there is no such folder, there are none.
    let names = cargo::answer(root.command("ls", &[]).arg(FOLDER)).unwrap_or_default();
    names
        .lines()
        .filter(|name| name.starts_with(PREFIX))
        .map(str::to_owned)
        .collect()
}

/// Removes those that were not there before, which detaches their programs.
pub(crate) fn remove_new(root: Root, before: &[String]) -> Result<()> {
    let new = || {
        let mut names = list(root);
        names.retain(|name| !before.contains(name));
        names
    };
    for name in new() {
        cargo::run(
            root.command("rm", &[])
                .args(["-r", "--", &format!("{FOLDER}/{name}")]),
        )?;
    }
    let left = new();
    ensure!(
        left.is_empty(),
        "still pinned in {FOLDER}: {}; remove them with 'cargo xtask clean-host'",
        left.join(", ")
    );
    Ok(())
}
