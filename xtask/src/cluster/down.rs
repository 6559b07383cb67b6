//! Removes the cluster: by its names, not by what it noted, so that a half start and a crash leave nothing behind.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::layout::{CGROUP, STATE};
use super::{cgroups, network};
use crate::cargo;

/// `cargo xtask cluster down`, as root.
pub(crate) fn run() -> Result<()> {
    if !is_something_there()? {
        println!("there is no cluster");
        return Ok(());
    }
    remove()
}

/// Whether there is anything to remove.
pub(crate) fn is_something_there() -> Result<bool> {
    Ok(cgroups::is_there()? || network::is_there() || Path::new(STATE).exists())
}

/// Does it. Processes first, then what they hold; mounts go with the namespaces of the last process.
pub(crate) fn remove() -> Result<()> {
    let mut problems = Vec::new();
    match cgroups::clear() {
        Ok(killed) => println!("ended {killed} processes, removed the cgroups {CGROUP}"),
        Err(error) => problems.push(error),
    }
    problems.extend(network::remove());
    match remove_state() {
        Ok(()) => println!("removed the network and {STATE}"),
        Err(error) => problems.push(error),
    }
    if problems.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = problems
        .iter()
        .map(|problem| format!("{problem:#}"))
        .collect();
    bail!(
        "not all of the cluster could be removed:\n  {}",
        list.join("\n  ")
    )
}

fn remove_state() -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("read mountinfo")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    // The nodes' mounts are in their own namespaces; were one here, its content would be removed.
    for point in points.filter(|point| Path::new(point).starts_with(STATE)) {
        cargo::answer(Command::new("umount").args(["--lazy", "--", point]))?;
    }
    match fs::remove_dir_all(STATE) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {STATE}"))
        }
        _ => Ok(()),
    }
}
