//! The folder of pinned maps and links: the kernel keeps what is pinned there, and goes on counting, without an agent.
//!
//! Below the folder is one for each version of what is pinned, `v1` and so on. It is locked by its agent for as long as that lives.

pub(super) mod holder;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use aya::maps::{Array, Map, MapData};
use insight_ebpf::abi::{
    Address, Baseline, DialedKey, FlowEntry, FlowKey, State, VERSION, Watermark,
};
use rustix::fs::{FlockOperation, flock};
use tracing::warn;

use super::wire::Wire;

/// `BPF_FS_MAGIC`, include/uapi/linux/magic.h.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// Maps that are pinned. `TURNS`, `OLDER` and `PEERS` belong to the programs alone, and are kept by them.
pub(super) const MAPS: [&str; 10] = [
    "FLOWS",
    "RANGES",
    "SWITCHES",
    "NEW_FLOWS",
    "MARKS",
    "STATE",
    "WATERMARKS",
    "BASELINE",
    "CONVERSATIONS",
    "DIALED",
];

/// The folder, locked.
pub struct Pins {
    folder: PathBuf,
    _lock: File,
}

/// The folder is somewhere else.
#[derive(Debug)]
pub struct NoBpfFs(PathBuf);

impl std::fmt::Display for NoBpfFs {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            to,
            "{} is not in a BPF file system; mount one with 'mount -t bpf bpf /sys/fs/bpf', or give --pin-dir a folder that is in one, or 'off'",
            self.0.display()
        )
    }
}

impl std::error::Error for NoBpfFs {}

/// What an earlier agent has left.
pub struct Found {
    /// Its folder.
    pub folder: PathBuf,
    /// Its version.
    pub version: u32,
    /// Whose counts they are.
    pub state: State,
}

impl Pins {
    /// Makes the folder if it is missing, and locks it.
    ///
    /// Errors: it is not in a BPF file system; it cannot be made; another agent holds it, with its process id.
    pub fn open(folder: &Path) -> Result<Self> {
        let parent = folder.ancestors().find(|folder| folder.is_dir());
        let parent = parent.unwrap_or(Path::new("/"));
        let kind = rustix::fs::statfs(parent)
            .with_context(|| format!("look at {}", parent.display()))?
            .f_type;
        if kind != BPF_FS_MAGIC {
            return Err(NoBpfFs(folder.to_owned()).into());
        }
        std::fs::create_dir_all(folder)
            .with_context(|| format!("make the folder {}", folder.display()))?;
        let lock = File::open(folder).with_context(|| format!("open {}", folder.display()))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => bail!(
                "{} is held by {}; two agents there would report the same counts: stop that one first, or use another --pin-dir",
                folder.display(),
                holder::of(&lock)
            ),
            Err(error) => return Err(error).with_context(|| format!("lock {}", folder.display())),
        }
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// Where this version is pinned.
    pub fn current(&self) -> PathBuf {
        self.folder.join(format!("v{VERSION}"))
    }

    /// What earlier agents have left, of any version. What is not whole, because its agent was killed while it began, or has entries
    /// of other sizes than this version's, is removed.
    pub fn found(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for (version, folder) in self.versions()? {
            match whole(&folder) {
                Some(state) => found.push(Found {
                    folder,
                    version,
                    state,
                }),
                None => {
                    warn!(
                        folder = %folder.display(),
                        "removing what an agent has not finished, or what this version cannot read; what was not reported of it is lost"
                    );
                    remove(&folder)?;
                }
            }
        }
        Ok(found)
    }

    /// Removes everything, the folder too: nothing is counted any more. What was removed.
    pub fn detach(self) -> Result<Vec<PathBuf>> {
        let mut removed = Vec::new();
        for (_, folder) in self.versions()? {
            remove(&folder)?;
            removed.push(folder);
        }
        std::fs::remove_dir(&self.folder)
            .with_context(|| format!("remove {}", self.folder.display()))?;
        Ok(removed)
    }

    fn versions(&self) -> Result<Vec<(u32, PathBuf)>> {
        let mut versions = Vec::new();
        let entries = std::fs::read_dir(&self.folder)
            .with_context(|| format!("list {}", self.folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix('v'));
            if let Some(version) = version.and_then(|version| version.parse().ok()) {
                versions.push((version, entry.path()));
            }
        }
        versions.sort_unstable();
        Ok(versions)
    }
}

/// Removes one version's pins. The kernel detaches a program whose link is gone from here.
pub fn remove(folder: &Path) -> Result<()> {
    let removing = || format!("remove the pins in {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(removing)? {
        std::fs::remove_file(entry?.path()).with_context(removing)?;
    }
    match std::fs::remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(removing),
        _ => Ok(()),
    }
}

/// The state of a set that can be gone on with.
fn whole(folder: &Path) -> Option<State> {
    let needed = MAPS.iter().chain(&[super::probes::LIFE.name]);
    if !needed.into_iter().all(|name| folder.join(name).exists()) {
        return None;
    }
    // The kernel writes entries of the map's sizes into our buffers, whatever we think they are.
    let has_sizes = |name: &str, key: usize, value: usize| {
        let info = MapData::from_pin(folder.join(name)).ok()?.info().ok()?;
        let sizes = (info.key_size() as usize, info.value_size() as usize);
        (sizes == (key, value)).then_some(())
    };
    let is_ours = |name: &str, value: usize| has_sizes(name, size_of::<FlowKey>(), value);
    is_ours("FLOWS", size_of::<FlowEntry>())?;
    is_ours("BASELINE", size_of::<Baseline>())?;
    is_ours("WATERMARKS", size_of::<Watermark>())?;
    has_sizes("DIALED", size_of::<DialedKey>(), size_of::<Address>())?;
    let map = MapData::from_pin(folder.join("STATE")).ok()?;
    let state: Array<_, Wire<State>> = Map::Array(map).try_into().ok()?;
    let state = state.get(&0, 0).ok()?.0;
    (state.complete == 1).then_some(state)
}
