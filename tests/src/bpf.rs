//! BPF objects of the kernel, by their ids.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use anyhow::{Context, Result};

/// What an id is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A program.
    Program,
    /// A map.
    Map,
    /// What holds a program at its hook.
    Link,
}

impl Kind {
    /// Numbers of `BPF_*_GET_FD_BY_ID` in include/uapi/linux/bpf.h.
    fn command(self) -> libc::c_int {
        match self {
            Self::Program => 13,
            Self::Map => 14,
            Self::Link => 30,
        }
    }
}

/// One object. The kernel gives out ids in order and does not soon use one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: u32,
}

/// Everything that a process has open.
pub fn held_by(pid: u32) -> Result<BTreeSet<Object>> {
    let folder = format!("/proc/{pid}/fdinfo");
    let mut objects = BTreeSet::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("list {folder}"))? {
        // A descriptor may be closed meanwhile.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        objects.extend(text.lines().filter_map(parse));
    }
    Ok(objects)
}

fn parse(line: &str) -> Option<Object> {
    let (name, id) = line.split_once(':')?;
    let kind = match name {
        "prog_id" => Kind::Program,
        "map_id" => Kind::Map,
        "link_id" => Kind::Link,
        _ => return None,
    };
    let id = id.trim().parse().ok()?;
    Some(Object { kind, id })
}

impl Object {
    /// Whether the kernel still has it.
    pub fn exists(&self) -> Result<bool> {
        // The first members of `union bpf_attr` for this command: id, next_id, open_flags.
        let attributes = [self.id, 0, 0];
        // SAFETY: the pointer and the size describe `attributes`, which lives during the call and which the kernel only reads.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                self.kind.command(),
                attributes.as_ptr(),
                size_of_val(&attributes),
            )
        };
        match i32::try_from(result) {
            Ok(fd) if fd >= 0 => {
                // SAFETY: the call has just made this descriptor, and nothing else knows it.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
                Ok(true)
            }
            _ => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
                error => Err(error).with_context(|| format!("look for {self:?}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fdinfo() {
        let object = |kind, id| Some(Object { kind, id });
        assert_eq!(parse("prog_id:\t12"), object(Kind::Program, 12));
        assert_eq!(parse("link_id:\t7"), object(Kind::Link, 7));
        assert_eq!(parse("map_id:\t70"), object(Kind::Map, 70));
        assert_eq!(parse("prog_tag:\t12"), None);
        assert_eq!(parse("flags"), None);
    }
}
