//! `/proc/<pid>/cgroup` → which of its lines names the process.
//!
//! A process has one line for each hierarchy, and they need not agree: `/` says nothing, a line with a pod says more
//! than one without, and a process that shows two pods or two containers is ambiguous, for which nobody is named.
//! Only `/proc/<pid>/cgroup` is asked: mountinfo, which others read as well, can be forged by the workload.

use super::parse::{Identity, Level, parse};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Controllers, comma-separated; empty for cgroup v2; "name=systemd" for systemd's own hierarchy.
    pub controllers: &'a str,
    /// Path below the hierarchy's root, as the reader's cgroup namespace shows it.
    pub path: &'a str,
}

impl Line<'_> {
    /// Whether this is the cgroup v2 line.
    pub fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// This line names the process.
    Named(Line<'a>, Box<Identity>),
    /// Two pods or two containers; each of the lines that disagree.
    Ambiguous(Line<'a>, Line<'a>),
    /// Only `/`, or nothing.
    None,
}

/// The lines of a `/proc/<pid>/cgroup` file; lines of another form are skipped.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter_map(|line| {
        // Controllers may hold ':' only in a name that root chose; paths may hold it, so split from the left.
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        // The kernel adds this when the cgroup was removed under a process that is still dying.
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        path.starts_with('/').then_some(Line { controllers, path })
    })
}

/// Decides which line names the process.
pub fn decide(text: &str) -> Verdict<'_> {
    let at_v2_root = lines(text).any(|line| line.is_v2() && line.path == "/");
    let candidates: Vec<(Line<'_>, Identity)> = lines(text)
        .filter(|line| line.path != "/")
        .map(|line| {
            let identity = parse(line.path);
            (line, identity)
        })
        .collect();
    for wanted in [Identity::has_pod, Identity::has_container] {
        let named: Vec<_> = candidates.iter().filter(|(_, i)| wanted(i)).collect();
        if let Some(verdict) = agree(&named) {
            return verdict;
        }
    }
    // Neither pod nor container: v2 first, because flows are counted there; then systemd's own hierarchy.
    candidates
        .into_iter()
        .filter(|(line, identity)| line.is_v2() || identity.unit.is_some() || !at_v2_root)
        .min_by_key(|(line, identity)| {
            let systemd = line.controllers.starts_with("name=systemd");
            (!line.is_v2(), identity.unit.is_none(), !systemd)
        })
        .map_or(Verdict::None, |(line, identity)| {
            Verdict::Named(line, Box::new(identity))
        })
}

/// The line with the most to say, if all of them agree on pod and container.
fn agree<'a>(named: &[&(Line<'a>, Identity)]) -> Option<Verdict<'a>> {
    let (first, rest) = named.split_first()?;
    let mut best = *first;
    for other in rest {
        if differ(&best.1.pod_uid, &other.1.pod_uid)
            || differ(&best.1.container_id, &other.1.container_id)
        {
            return Some(Verdict::Ambiguous(best.0.clone(), other.0.clone()));
        }
        let worth = |line: &Line<'_>, identity: &Identity| (identity.has_container(), line.is_v2());
        if worth(&other.0, &other.1) > worth(&best.0, &best.1) {
            best = other;
        }
    }
    Some(Verdict::Named(best.0.clone(), Box::new(best.1.clone())))
}

fn differ(one: &Option<String>, other: &Option<String>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

impl Identity {
    fn has_pod(&self) -> bool {
        self.pod_uid.is_some()
    }

    fn has_container(&self) -> bool {
        self.level == Level::Container
    }
}

#[cfg(test)]
#[path = "proc_file_tests.rs"]
mod tests;
