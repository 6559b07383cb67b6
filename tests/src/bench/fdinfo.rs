//! Which BPF programs and maps a process has open, from `/proc/PID/fdinfo`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};

/// BPF objects of a process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Objects {
    /// Ids of programs, those behind links included.
    pub(super) programs: BTreeSet<u32>,
    /// Memory of each map by its id, bytes.
    pub(super) maps: BTreeMap<u32, u64>,
}

impl Objects {
    /// Those of a process.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let folder = format!("/proc/{pid}/fdinfo");
        let mut objects = Self::default();
        for entry in fs::read_dir(&folder).with_context(|| format!("list {folder}"))? {
            // A descriptor that was closed in between is none.
            if let Ok(text) = fs::read_to_string(entry?.path()) {
                objects.add(&text);
            }
        }
        Ok(objects)
    }

    /// Memory of all maps, bytes.
    pub(super) fn map_memory(&self) -> u64 {
        self.maps.values().sum()
    }

    /// One descriptor, as `bpf_prog_show_fdinfo` and `bpf_map_show_fdinfo` (kernel/bpf/syscall.c) write it.
    fn add(&mut self, text: &str) {
        let number = |name: &str| {
            text.lines().find_map(|line| {
                let value = line.strip_prefix(name)?.strip_prefix(':')?;
                value.trim().parse::<u64>().ok()
            })
        };
        let id = |name: &str| number(name).and_then(|id| u32::try_from(id).ok());
        if let Some(id) = id("prog_id") {
            self.programs.insert(id);
        }
        if let (Some(id), Some(memory)) = (id("map_id"), number("memlock")) {
            self.maps.insert(id, memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t2069\nprog_type:\t26\nprog_jited:\t1\n\
        prog_tag:\t3d5c2f7e0a6f4a11\nmemlock:\t8192\nprog_id:\t31\nrun_time_ns:\t0\nrun_cnt:\t0\n";
    const LINK: &str =
        "pos:\t0\nlink_type:\ttracing\nlink_id:\t9\nprog_tag:\t3d5c2f7e0a6f4a11\nprog_id:\t31\n";
    const MAP: &str = "pos:\t0\nmap_type:\t1\nkey_size:\t56\nvalue_size:\t72\nmax_entries:\t65536\nmap_flags:\t0x0\n\
        map_extra:\t0x0\nmemlock:\t11014272\nmap_id:\t12\nfrozen:\t0\n";
    const FILE: &str = "pos:\t0\nflags:\t0100002\nmnt_id:\t25\nino:\t5\n";

    #[test]
    fn each_object_counts_once() {
        let mut objects = Objects::default();
        for text in [PROGRAM, LINK, MAP, MAP, FILE] {
            objects.add(text);
        }
        assert_eq!(objects.programs, BTreeSet::from([31]));
        assert_eq!(objects.map_memory(), 11_014_272);
    }
}
