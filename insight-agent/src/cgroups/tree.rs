//! Cgroup id → owner, kept current by walking the tree.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use insight_proto::v1::Owner;

use super::owner;
use super::parse::parse;
use super::process;
use super::remember::Remembered;
use super::walk::{Outcome, directory, walk};

/// Cgroups that are kept: 600 bytes each make 10 MiB, and a node of 500 pods has about 3,000. The rest is counted in
/// [`TreeStats::over_limit`], and its flows have an id and no name.
pub const MAX_CGROUPS: usize = 16_384;

/// Ids known to be gone for good, so that their flows cost no further walk: 8 bytes each. When full, it starts anew.
const MAX_ABSENT: usize = 8192;

/// The least time between two walks for unknown ids. Short, because a new pod's first flow wants its name at once.
const MIN_WALK_GAP: Duration = Duration::from_millis(50);

/// A walk for an unknown id waits this many times the last walk's duration, so that walking takes at most 5 % of a core
/// however large the tree is and however fast containers come and go.
const WALK_GAP_FACTOR: u32 = 20;

/// What the tree knows of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeStats {
    /// Cgroups that are there.
    pub known: usize,
    /// Cgroups that are gone and whose names are kept.
    pub remembered: usize,
    /// Walks so far.
    pub walks: u64,
    /// How long the last walk took.
    pub last_walk: Duration,
    /// Owners asked for that got no name.
    pub unnamed: u64,
    /// Cgroups that were seen as they were made.
    pub born: u64,
    /// Names of gone cgroups that were dropped early.
    pub evicted: u64,
    /// Cgroups left out of the last walk because there are more than [`MAX_CGROUPS`].
    pub over_limit: u64,
    /// Directories that the last walk could not read.
    pub unreadable: u64,
}

/// One cgroup that is there.
#[derive(Debug)]
pub struct Entry {
    /// Who it is.
    pub owner: Arc<Owner>,
    /// Whether its own directory gives it its name, and not one above.
    pub exact: bool,
    /// Whether it has no child.
    pub leaf: bool,
    seen_in: u64,
    /// The walk after which its processes were last asked for a name.
    process_asked_in: u64,
}

/// The cgroups below a root.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    mount: PathBuf,
    prefix: String,
    entries: HashMap<u64, Entry>,
    remembered: Remembered,
    absent: HashSet<u64>,
    walks: u64,
    last_walk: Duration,
    next_walk: Option<Instant>,
    outcome: Outcome,
    unnamed: u64,
    born: u64,
}

impl Tree {
    /// A tree of the cgroups in and below `root`, a directory in the cgroup v2 mount `mount`. Reads nothing yet.
    pub fn new(root: PathBuf, mount: PathBuf) -> Self {
        let below = root.strip_prefix(&mount).unwrap_or(Path::new(""));
        Self {
            prefix: format!("/{}", below.to_string_lossy()),
            root,
            mount,
            entries: HashMap::new(),
            remembered: Remembered::default(),
            absent: HashSet::new(),
            walks: 0,
            last_walk: Duration::ZERO,
            next_walk: None,
            outcome: Outcome::default(),
            unnamed: 0,
            born: 0,
        }
    }

    /// Who owns `cgroup_id`. Walks the tree if the id is new, at most every 50 ms and at most 5 % of the time; an id that
    /// stays unknown gets the level "cgroup" and an empty path.
    pub fn owner(&mut self, cgroup_id: u64) -> Owner {
        self.owner_at(cgroup_id, Instant::now())
    }

    /// When [`Self::owner`] can say more of this id than now: none if it will not, else the time of the next walk.
    pub fn name_due(&self, id: u64) -> Option<Instant> {
        self.name_due_at(id, Instant::now())
    }

    fn name_due_at(&self, id: u64, now: Instant) -> Option<Instant> {
        let is_settled = id == 0 || self.find(id).is_some() || self.absent.contains(&id);
        self.next_walk.filter(|at| !is_settled && now < *at)
    }

    fn owner_at(&mut self, id: u64, now: Instant) -> Owner {
        if let Some(owner) = self.known(id) {
            return owner;
        }
        let may_walk = self.name_due_at(id, now).is_none();
        if may_walk && id != 0 && !self.absent.contains(&id) && self.refresh().is_ok() {
            if let Some(owner) = self.known(id) {
                return owner;
            }
            // The kernel saw the cgroup before this walk began and the walk did not: it is gone, and ids do not return.
            if self.outcome == Outcome::default() {
                if self.absent.len() == MAX_ABSENT {
                    self.absent.clear();
                }
                self.absent.insert(id);
            }
        }
        self.unnamed += 1;
        owner::unknown(id)
    }

    /// A cgroup was made, and may be gone already. `path` is from the root of the hierarchy, which is the path below the mount unless
    /// the mount shows a part of the tree.
    pub fn born(&mut self, id: u64, path: &str) {
        let below = match self.prefix.as_str() {
            "/" => true,
            prefix => path
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        };
        if !below || self.entries.len() >= MAX_CGROUPS {
            return;
        }
        let identity = parse(path);
        let entry = Entry {
            owner: Arc::new(owner::owner(id, path, &identity)),
            exact: identity.exact,
            leaf: true,
            // The next walk finds it, or remembers it.
            seen_in: self.walks,
            process_asked_in: 0,
        };
        self.absent.remove(&id);
        self.remembered.remove(id);
        self.entries.insert(id, entry);
        self.born += 1;
    }

    fn known(&mut self, id: u64) -> Option<Owner> {
        let Some(entry) = self.entries.get_mut(&id) else {
            return self.remembered.get(id).map(|owner| (**owner).clone());
        };
        // Asked here and not in the walk: a cgroup is made before its first process enters it.
        let nameless = entry.owner.level == "cgroup" && entry.owner.process.is_empty();
        if nameless && entry.process_asked_in != self.walks {
            entry.process_asked_in = self.walks;
            if let Some(comm) = process::oldest(&directory(&self.mount, &entry.owner.path)) {
                Arc::make_mut(&mut entry.owner).process = comm;
            }
        }
        Some((*entry.owner).clone())
    }

    /// Walks the tree now. Cgroups that are gone keep their names for a while. The error says that the root cannot be
    /// read; everything below it is then taken as gone.
    pub fn refresh(&mut self) -> io::Result<()> {
        let start = Instant::now();
        self.walks += 1;
        let (walks, entries) = (self.walks, &mut self.entries);
        let (remembered, absent) = (&mut self.remembered, &mut self.absent);
        let result = walk(&self.root, &self.prefix, MAX_CGROUPS, |found| {
            if let Some(entry) = entries.get_mut(&found.id)
                && entry.owner.path == found.path
            {
                (entry.seen_in, entry.leaf) = (walks, found.leaf);
                return;
            }
            let identity = parse(&found.path);
            let entry = Entry {
                owner: Arc::new(owner::owner(found.id, &found.path, &identity)),
                exact: identity.exact,
                leaf: found.leaf,
                seen_in: walks,
                process_asked_in: 0,
            };
            remembered.remove(found.id);
            absent.remove(&found.id);
            entries.insert(found.id, entry);
        });
        let now = Instant::now();
        for (_, entry) in entries.extract_if(|_, entry| entry.seen_in != walks) {
            remembered.insert(entry.owner, now);
        }
        remembered.expire(now);
        self.last_walk = now - start;
        self.next_walk = Some(now + MIN_WALK_GAP.max(self.last_walk * WALK_GAP_FACTOR));
        self.outcome = result?;
        Ok(())
    }

    /// The cgroups of the last walk.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Who a cgroup is that is there, or was not long ago. Reads nothing.
    pub fn find(&self, id: u64) -> Option<&Arc<Owner>> {
        let entry = self.entries.get(&id).map(|entry| &entry.owner);
        entry.or_else(|| self.remembered.get(id))
    }

    /// Whether the last walk found it, or it was born since.
    pub fn is_there(&self, id: u64) -> bool {
        self.entries.contains_key(&id)
    }

    /// Ids by path; of several the one that is there, or that died last.
    pub fn by_path(&self) -> HashMap<&str, u64> {
        let entries = self.entries.values().map(|entry| &entry.owner);
        let all = self.remembered.oldest_first().chain(entries);
        all.map(|owner| (owner.path.as_str(), owner.cgroup_id))
            .collect()
    }

    /// The cgroup v2 mount.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// Counts for `/status` and `/metrics`.
    pub fn stats(&self) -> TreeStats {
        TreeStats {
            known: self.entries.len(),
            remembered: self.remembered.len(),
            walks: self.walks,
            last_walk: self.last_walk,
            unnamed: self.unnamed,
            born: self.born,
            evicted: self.remembered.evicted(),
            over_limit: self.outcome.over_limit,
            unreadable: self.outcome.unreadable,
        }
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
