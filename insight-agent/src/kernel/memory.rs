//! What the maps take of the kernel's memory.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::{Context, Result};
use aya::maps::{Map, MapData};

use super::Kernel;

impl Kernel {
    /// Every map by name with its size, bytes, the largest first; preallocated ones with all that they will ever take.
    pub fn memory(&self) -> Result<Vec<(String, u64)>> {
        let mut sizes = Vec::new();
        for (name, map) in self.maps() {
            if let Some(data) = data(map) {
                sizes.push((name.to_owned(), memlock(data.fd().as_fd())?));
            }
        }
        sizes.sort_unstable_by(|(_, one), (_, other)| other.cmp(one));
        Ok(sizes)
    }
}

/// The kinds of maps that the object has.
fn data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::LpmTrie(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::RingBuf(data) => Some(data),
        _ => None,
    }
}

/// As `bpf_map_show_fdinfo` (kernel/bpf/syscall.c) says it.
fn memlock(map: BorrowedFd<'_>) -> Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", map.as_raw_fd());
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
        .with_context(|| format!("no memlock in {path}"))
}
