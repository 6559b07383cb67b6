//! The name of a cgroup's oldest process, for cgroups with no better name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Processes of one cgroup that are compared. The kernel lists them in no useful order; among 64 the oldest is old
/// enough to be the one that started the others.
const MAX_PROCESSES: usize = 64;

/// Bytes of `cgroup.procs` that hold so many process ids: at most 7 digits and a newline each.
const MAX_BYTES: u64 = 8 * MAX_PROCESSES as u64;

/// The comm of the process in `directory` (of cgroupfs) that started first; `None` for an empty cgroup.
pub(super) fn oldest(directory: &Path) -> Option<String> {
    let file = File::open(directory.join("cgroup.procs")).ok()?;
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    text.lines()
        .take(MAX_PROCESSES)
        // 0 is a process outside of the reader's pid namespace.
        .filter(|pid| *pid != "0" && pid.bytes().all(|b| b.is_ascii_digit()))
        .filter_map(|pid| std::fs::read(format!("/proc/{pid}/stat")).ok())
        .filter_map(|stat| started(&String::from_utf8_lossy(&stat)))
        .min()
        .map(|(_, comm)| comm)
}

/// Whether any process is in `directory`. Reads one byte.
pub(super) fn any(directory: &Path) -> bool {
    let file = File::open(directory.join("cgroup.procs"));
    file.is_ok_and(|mut file| matches!(file.read(&mut [0]), Ok(1)))
}

/// Start time (ticks since boot, field 22) and comm of a `/proc/<pid>/stat` line. The comm is in parentheses and may
/// itself hold parentheses and spaces.
pub(super) fn started(stat: &str) -> Option<(u64, String)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, comm) = head.split_once('(')?;
    // The tail starts with field 3.
    let start = tail.split_whitespace().nth(22 - 3)?.parse().ok()?;
    Some((start, comm.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_start_time_behind_any_name() {
        let line = "12609 (a) (b c) R 12587 12587 9933 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 98728 3133440 407";
        assert_eq!(started(line), Some((98728, "a) (b c".to_owned())));
        assert_eq!(started("1 (x) R"), None);
        assert_eq!(started(""), None);
    }

    #[test]
    fn the_oldest_process_names_the_cgroup() {
        let cgroup = tempfile::tempdir().unwrap();
        assert_eq!(oldest(cgroup.path()), None);
        assert!(!any(cgroup.path()));
        // This process, one outside of the namespace, one that is long gone.
        let text = format!("{}\n0\n4194303\n", std::process::id());
        std::fs::write(cgroup.path().join("cgroup.procs"), text).unwrap();
        let own = std::fs::read_to_string(format!("/proc/{}/comm", std::process::id())).unwrap();
        assert_eq!(oldest(cgroup.path()).as_deref(), Some(own.trim_end()));
        assert!(any(cgroup.path()));
    }
}
