//! Processes, told apart from later ones with the same id by when they began.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal};

use crate::patience::wait_until;

/// How long the kernel may take to remove killed processes.
const KILL: Duration = Duration::from_secs(5);

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id
    pub(crate) id: u32,
    parent: u32,
    /// Its name (comm)
    pub(crate) name: String,
    /// In clock ticks since boot
    began: u64,
    dead: bool,
}

impl Process {
    /// The process with this id, if there is one.
    pub(crate) fn find(id: u32) -> Option<Self> {
        parse(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// When it began, in clock ticks since boot: with the id, what tells it from every other one.
    pub(crate) fn began(&self) -> u64 {
        self.began
    }

    /// Whether it still runs.
    pub(crate) fn alive(&self) -> bool {
        Self::find(self.id).is_some_and(|now| now.began == self.began && !now.dead)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.id)
    }
}

/// proc(5): `id (name) state parent … starttime …`; the name may hold spaces and brackets.
fn parse(stat: &str) -> Option<Process> {
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Some(Process {
        id: id.parse().ok()?,
        name: name.to_owned(),
        dead: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        began: fields.get(19)?.parse().ok()?,
    })
}

/// All living processes.
pub(crate) fn all() -> Vec<Process> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Process::find)
        .filter(|process| !process.dead)
        .collect()
}

/// A process with its children, theirs, and so on.
pub(crate) fn family(id: u32) -> Vec<Process> {
    let mut children: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
    let mut found: Vec<Process> = Vec::new();
    for process in all() {
        if process.id == id {
            found.push(process);
        } else {
            children.entry(process.parent).or_default().push(process);
        }
    }
    let mut next = 0;
    while next < found.len() {
        found.extend(children.remove(&found[next].id).unwrap_or_default());
        next += 1;
    }
    found
}

/// Kills processes, ourselves excepted, and waits until they are gone.
pub(crate) fn kill(processes: &[Process]) -> Result<()> {
    let others: Vec<&Process> = processes
        .iter()
        .filter(|process| process.id != std::process::id())
        .collect();
    for process in others.iter().filter(|process| process.alive()) {
        let pid = i32::try_from(process.id).ok().and_then(Pid::from_raw);
        match rustix::process::kill_process(pid.context("an impossible process id")?, Signal::KILL)
        {
            Ok(()) => println!("killed {process}"),
            Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error).with_context(|| format!("kill {process}")),
        }
    }
    ensure!(
        wait_until(KILL, || others.iter().all(|process| !process.alive())),
        "killed processes are still there after {} s",
        KILL.as_secs()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets() {
        let stat = "42 (a) b) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 1 1";
        let process = parse(stat).unwrap();
        assert_eq!((process.id, process.parent), (42, 7));
        assert_eq!((process.name.as_str(), process.began), ("a) b", 9876));
        assert!(!process.dead);
        assert_eq!(process.to_string(), "a) b (process 42)");
        assert!(parse("42 (a").is_none());
    }

    #[test]
    fn we_are_alive_and_of_our_parents_family() {
        let own = Process::find(std::process::id()).unwrap();
        assert!(own.alive());
        assert!(family(own.parent).contains(&own));
        let earlier = Process {
            began: own.began - 1,
            ..own
        };
        assert!(!earlier.alive(), "the same id, but another process");
    }

    #[test]
    fn a_killed_process_is_gone() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let process = Process::find(child.id()).unwrap();
        kill(std::slice::from_ref(&process)).unwrap();
        assert!(!process.alive());
        assert!(!child.wait().unwrap().success());
    }
}
