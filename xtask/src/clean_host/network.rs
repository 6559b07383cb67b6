//! Network namespaces and links that tests have made.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Tally;
use super::processes::{self, Process};
use crate::cargo;

/// Where `ip netns` keeps named namespaces.
const NAMESPACES: &str = "/run/netns";
const NAMESPACE_PREFIX: &str = "insight-";
const LINKS: &str = "/sys/class/net";
const LINK_PREFIX: &str = "ins-";

/// Kills the processes in our namespaces, and removes namespaces and links.
pub(super) fn clean(tally: &mut Tally) -> Result<()> {
    for name in names(NAMESPACES, NAMESPACE_PREFIX) {
        let result = processes::kill(&inside(&Path::new(NAMESPACES).join(&name)))
            .and_then(|()| ip(&["netns", "delete", &name]));
        tally.note(&format!("network namespace {name}"), result);
    }
    for name in names(LINKS, LINK_PREFIX) {
        let result = ip(&["link", "delete", &name]);
        // One end of a pair takes the other with it, and so does the end of its namespace, a moment later.
        if result.is_ok() || Path::new(LINKS).join(&name).exists() {
            tally.note(&format!("link {name}"), result);
        }
    }
    Ok(())
}

fn names(folder: &str, prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    names
}

/// The processes whose network namespace this is.
fn inside(namespace: &Path) -> Vec<Process> {
    let identity = |path: &Path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.dev(), about.ino()))
    };
    let Some(wanted) = identity(namespace) else {
        return Vec::new();
    };
    let mut found = processes::all();
    found.retain(|process| {
        identity(Path::new(&format!("/proc/{}/ns/net", process.id))) == Some(wanted)
    });
    found
}

fn ip(args: &[&str]) -> Result<()> {
    cargo::answer(Command::new("ip").args(args))
        .map(drop)
        .context("use 'ip' (package iproute2)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_inside_our_own_namespace_and_in_no_other() {
        let own = Process::find(std::process::id()).unwrap();
        assert!(inside(Path::new("/proc/self/ns/net")).contains(&own));
        assert!(inside(Path::new("/proc/self/ns/uts")).is_empty());
        assert!(inside(Path::new("/proc/self/ns/none")).is_empty());
    }

    #[test]
    fn where_there_is_no_folder_there_are_no_names() {
        assert!(names("/no/such/folder", "").is_empty());
        assert!(names(LINKS, "l").contains(&"lo".to_owned()));
        assert!(!names(LINKS, LINK_PREFIX).contains(&"lo".to_owned()));
    }
}
