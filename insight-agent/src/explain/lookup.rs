//! A path, process id or container id → a cgroup path and its identity.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context, bail};

use crate::cgroups::proc_file::{self, Line, Verdict};
use crate::cgroups::{Identity, Mounts, Tree, parse};

/// Shorter prefixes would match by chance, and Docker shows this many.
const MIN_CONTAINER_DIGITS: usize = 12;

/// Candidates that an error names.
const MAX_CANDIDATES: usize = 5;

/// What was found.
#[derive(Debug)]
pub(super) struct Answer {
    /// Path below the mount.
    pub(super) path: String,
    /// What it says.
    pub(super) identity: Identity,
    /// How the path was found.
    pub(super) found: Vec<String>,
}

pub(super) fn look_up(what: &str, mounts: &Mounts) -> anyhow::Result<Answer> {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    if what.starts_with('/') {
        Ok(of_path(what, mounts))
    } else if what.len() >= MIN_CONTAINER_DIGITS && what.len() <= 64 && hex(what) {
        of_container(&what.to_ascii_lowercase(), mounts)
    } else if let Ok(pid) = what.parse::<u32>() {
        of_process(pid)
    } else {
        bail!(
            "this is neither a cgroup path (starts with /), nor a process id, nor the first {MIN_CONTAINER_DIGITS} or more \
             hexadecimal digits of a container id"
        )
    }
}

/// People paste `/sys/fs/cgroup/…`, too.
fn of_path(text: &str, mounts: &Mounts) -> Answer {
    let all = mounts.v2.iter().chain(&mounts.v1);
    let below = all
        .filter(|mount| mount.point != Path::new("/"))
        .filter_map(|mount| Some((mount, Path::new(text).strip_prefix(&mount.point).ok()?)))
        .max_by_key(|(mount, _)| mount.point.components().count());
    let (path, found) = match below {
        Some((mount, below)) => {
            let note = format!(
                "{} is the mount; the path below it counts",
                mount.point.display()
            );
            (format!("/{}", below.display()), vec![note])
        }
        None => (text.to_owned(), Vec::new()),
    };
    Answer {
        identity: parse(&path),
        path,
        found,
    }
}

fn of_process(pid: u32) -> anyhow::Result<Answer> {
    let file = format!("/proc/{pid}/cgroup");
    let text = match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!(
                "there is no process {pid} here (no {file}); process ids are those of this pid namespace"
            )
        }
        read => read.with_context(|| format!("cannot read {file}"))?,
    };
    of_cgroup_file(pid, &text)
}

fn of_cgroup_file(pid: u32, text: &str) -> anyhow::Result<Answer> {
    let name = |line: &Line<'_>| match line.controllers {
        "" => "cgroup v2".to_owned(),
        controllers => controllers.to_owned(),
    };
    match proc_file::decide(text) {
        Verdict::Named(line, identity) => {
            let mut found = vec![format!("process {pid}: its {} line names it", name(&line))];
            let v2 = proc_file::lines(text).find(Line::is_v2);
            if let Some(v2) = v2.filter(|v2| v2.path != line.path) {
                found.push(format!(
                    "its cgroup v2 path is {}, and that is where its flows are counted",
                    v2.path
                ));
            }
            Ok(Answer {
                path: line.path.to_owned(),
                identity: *identity,
                found,
            })
        }
        Verdict::Ambiguous(one, other) => bail!(
            "ambiguous: process {pid} shows {} in {} and {} in {}; nobody is named rather than the wrong one",
            one.path,
            name(&one),
            other.path,
            name(&other)
        ),
        Verdict::None => Ok(Answer {
            path: "/".to_owned(),
            identity: parse("/"),
            found: vec![format!(
                "process {pid}: no line of its cgroup file names anything"
            )],
        }),
    }
}

fn of_container(prefix: &str, mounts: &Mounts) -> anyhow::Result<Answer> {
    let mut matches = BTreeMap::<String, String>::new();
    for mount in mounts.v2.iter().chain(&mounts.v1) {
        let mut tree = Tree::new(mount.point.clone(), mount.point.clone());
        if tree.refresh().is_err() {
            continue;
        }
        let entries = tree
            .entries()
            .filter(|e| e.owner.container_id.starts_with(prefix));
        for owner in entries.map(|entry| &entry.owner) {
            let path = matches
                .entry(owner.container_id.clone())
                .or_insert_with(|| owner.path.clone());
            // The container itself, not a cgroup inside of it.
            if owner.path.len() < path.len() {
                path.clone_from(&owner.path);
            }
        }
        // v2 is where flows are counted; v1 is asked for containers that only have directories there.
        if !matches.is_empty() {
            break;
        }
    }
    if matches.len() > 1 {
        let some: Vec<_> = matches.into_keys().take(MAX_CANDIDATES).collect();
        bail!(
            "several containers begin with it, give more digits: {}",
            some.join(", ")
        );
    }
    let Some((id, path)) = matches.pop_first() else {
        bail!(
            "no cgroup on this host belongs to a container with this id; is it running, and are the host's cgroups mounted here?"
        );
    };
    Ok(Answer {
        identity: parse(&path),
        path,
        found: vec![format!("container {id}: found in the cgroup tree")],
    })
}

#[cfg(test)]
pub(super) fn of_cgroup_text(text: &str) -> anyhow::Result<Answer> {
    of_cgroup_file(1, text)
}
