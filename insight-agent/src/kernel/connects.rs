//! The connect hooks of the counted cgroups: who sits there, and the programs that look before them.
//!
//! A cgroup's own programs run before its ancestors', whenever they were attached. The usual load balancer sits at the root of the tree, where the agent's
//! programs should be, too; so they are attached there to run first, which Linux 6.15 takes, or else to each of the cgroups right below.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use aya::maps::{Array, HashMap, MapError};
use aya::programs::{BtfTracePoint, CgroupSockAddr};
use aya::{Btf, Endianness};
use insight_ebpf::abi::{Address, DIALED_PLACES, DialedKey, FlowKey};

use super::attach::CHANGES;
use super::load::data;
use super::probes::DIALED;
use super::wire::Wire;
use super::{Kernel, system};

/// When dialed addresses are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialing {
    /// Where something could have put others in their place.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// The programs of `insight-ebpf`, each with its attach type of `enum bpf_attach_type`: `BPF_CGROUP_INET4_CONNECT` and `BPF_CGROUP_INET6_CONNECT`.
const HOOKS: [(&str, u32); 2] = [("dialed4", 10), ("dialed6", 11)];

/// Cgroups right below the root that programs are attached to: systemd and the kubelet make a handful.
const MAX_CHILDREN: usize = 64;

/// The hooks, as far as this agent has to do with them.
pub(super) struct Connects {
    dialing: Dialing,
    cgroup: Option<PathBuf>,
    btf: PathBuf,
    place: Option<Place>,
}

/// Where the programs are attached.
enum Place {
    Root {
        _links: Vec<OwnedFd>,
    },
    /// By inode: a cgroup that is made again has another.
    Children(BTreeMap<u64, Vec<OwnedFd>>),
}

impl Connects {
    pub(super) fn new(dialing: Dialing, cgroup: Option<PathBuf>, btf: PathBuf) -> Self {
        Self {
            dialing,
            cgroup,
            btf,
            place: None,
        }
    }
}

impl Kernel {
    /// Sees to it that dialed addresses are noted where they have to be; whether a probe's verdict changed. To be called now and then: a
    /// load balancer may start later than the agent, and new cgroups may appear.
    pub fn watch_connects(&mut self) -> bool {
        let watched = match (self.connects.dialing, &self.connects.place) {
            (Dialing::Off, _) | (_, Some(Place::Root { .. })) => return false,
            (_, Some(Place::Children(_))) => self.attach_to_children().map(|()| true),
            (Dialing::On, None) => self.attach_dialed().map(|()| true),
            (Dialing::Auto, None) => self.has_balancer().and_then(|has| {
                if has {
                    self.attach_dialed()?;
                }
                Ok(has)
            }),
        };
        let verdict = match watched {
            Ok(false) => None,
            Ok(true) => Some(DIALED.runs()),
            Err(error) => Some(DIALED.fails(&error)),
        };
        let known = self
            .probes
            .iter()
            .position(|probe| probe.name == DIALED.name);
        let before = known.map(|known| self.probes.remove(known));
        let has_changed = before != verdict;
        self.probes.extend(verdict);
        has_changed
    }

    /// Whether dialed addresses are noted.
    pub fn notes_dialed(&self) -> bool {
        self.connects.place.is_some()
    }

    /// Every address that a flow was dialed by in place of its own.
    pub fn dialed(&self) -> Result<Vec<(DialedKey, Address)>> {
        let map = data(self.map("DIALED")?)?;
        system::entries(map.fd().as_fd()).context("read the map DIALED")
    }

    /// Those of one flow.
    pub fn dialed_of(&self, flow: &FlowKey) -> Result<Vec<(DialedKey, Address)>> {
        let dialed: HashMap<_, Wire<DialedKey>, Wire<Address>> = self.map("DIALED")?.try_into()?;
        let mut found = Vec::new();
        for place in 0..DIALED_PLACES {
            let key = place_of(flow, place);
            match dialed.get(&Wire(key), 0) {
                Ok(address) => found.push((key, address.0)),
                Err(MapError::KeyNotFound) => break,
                Err(error) => return Err(error).context("look up a dialed address"),
            }
        }
        Ok(found)
    }

    /// Connects whose dialed address found no place.
    pub fn dialed_lost(&self) -> Result<u64> {
        let lost: Array<_, u64> = self.map("DIALED_LOST")?.try_into()?;
        lost.get(&0, 0).context("read the map DIALED_LOST")
    }

    /// Forgets the dialed addresses of flows that are gone.
    pub fn forget_dialed(&self, flows: &[FlowKey]) -> Result<()> {
        let mut keys = Vec::new();
        for flow in flows {
            keys.extend((0..DIALED_PLACES).map(|place| place_of(flow, place)));
        }
        let map = data(self.map("DIALED")?)?;
        system::remove(map.fd().as_fd(), &keys).context("delete from the map DIALED")
    }

    /// Whether a program of somebody else runs before a connect in the counted cgroup.
    fn has_balancer(&self) -> Result<bool> {
        let cgroup = self.open_root()?;
        let own: Vec<u32> = self.own_programs();
        for (_, hook) in HOOKS {
            let there = system::programs_at(cgroup.as_fd(), hook, true)
                .context("ask who sits on the connect hooks")?;
            if there.iter().any(|id| !own.contains(id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn own_programs(&self) -> Vec<u32> {
        let infos = self
            .ebpf
            .programs()
            .filter_map(|(_, program)| program.info().ok());
        infos.map(|info| info.id()).collect()
    }

    fn open_root(&self) -> Result<File> {
        let path = self.cgroup_path()?;
        File::open(path).with_context(|| format!("open the cgroup {}", path.display()))
    }

    fn cgroup_path(&self) -> Result<&Path> {
        self.connects
            .cgroup
            .as_deref()
            .context("no cgroup v2 mount is visible")
    }

    fn attach_dialed(&mut self) -> Result<()> {
        self.load_dialed()?;
        let root = self.open_root()?;
        match self.links(&root, system::PREORDER) {
            Ok(links) => self.connects.place = Some(Place::Root { _links: links }),
            // The kernel does not know that order.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                if self.is_first_at(&root)? {
                    let links = self
                        .links(&root, 0)
                        .context("attach to the connect hooks")?;
                    self.connects.place = Some(Place::Root { _links: links });
                } else {
                    self.connects.place = Some(Place::Children(BTreeMap::new()));
                    self.attach_to_children()?;
                }
            }
            Err(error) => return Err(error).context("attach to the connect hooks"),
        }
        Ok(())
    }

    /// Whether nobody else sits at this very cgroup.
    fn is_first_at(&self, cgroup: &File) -> Result<bool> {
        for (_, hook) in HOOKS {
            let there = system::programs_at(cgroup.as_fd(), hook, false)
                .context("ask who sits on the connect hooks")?;
            if !there.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn load_dialed(&mut self) -> Result<()> {
        for (name, _) in HOOKS {
            let program: &mut CgroupSockAddr = self.program(name)?.try_into()?;
            if program.fd().is_err() {
                program.load().with_context(|| format!("load '{name}'"))?;
            }
        }
        let types = &self.connects.btf;
        let btf = Btf::parse_file(types, Endianness::default())
            .with_context(|| format!("parse {}", types.display()))?;
        let program: &mut BtfTracePoint = self.program(DIALED.name)?.try_into()?;
        if program.fd().is_err() {
            program.load(CHANGES, &btf).context("load 'dialed'")?;
            program.attach().context("attach 'dialed'")?;
        }
        Ok(())
    }

    fn program(&mut self, name: &str) -> Result<&mut aya::programs::Program> {
        self.ebpf
            .program_mut(name)
            .with_context(|| format!("the BPF object has no program '{name}'"))
    }

    fn links(&self, cgroup: &File, flags: u32) -> std::io::Result<Vec<OwnedFd>> {
        let link = |(name, hook): (&str, u32)| {
            let program = self
                .ebpf
                .program(name)
                .and_then(|program| program.fd().ok());
            let program =
                program.ok_or_else(|| std::io::Error::other(anyhow!("{name} is not loaded")))?;
            system::link_cgroup(program.as_fd(), cgroup.as_fd(), hook, flags)
        };
        HOOKS.into_iter().map(link).collect()
    }

    /// Attaches to the children that are new, and lets go of those that are gone. Processes right in the root, which has none in a Kubernetes
    /// node, are not seen.
    fn attach_to_children(&mut self) -> Result<()> {
        let path = self.cgroup_path()?.to_owned();
        let entries =
            std::fs::read_dir(&path).with_context(|| format!("list {}", path.display()))?;
        let mut found = BTreeMap::new();
        for entry in entries.flatten() {
            // One that is gone meanwhile needs nothing.
            if let Ok(data) = entry.metadata()
                && data.is_dir()
                && found.len() < MAX_CHILDREN
            {
                found.insert(data.ino(), entry.path());
            }
        }
        let Some(Place::Children(mut known)) = self.connects.place.take() else {
            return Ok(());
        };
        known.retain(|inode, _| found.contains_key(inode));
        let mut result = Ok(());
        for (inode, path) in found {
            if known.contains_key(&inode) {
                continue;
            }
            match File::open(&path).and_then(|cgroup| self.links(&cgroup, 0)) {
                Ok(links) => drop(known.insert(inode, links)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    result = Err(error).with_context(|| format!("attach to {}", path.display()));
                }
            }
        }
        self.connects.place = Some(Place::Children(known));
        result
    }
}

/// A flow's two entries in the flow map, which it may have for a while, share their places.
fn place_of(flow: &FlowKey, place: u64) -> DialedKey {
    DialedKey {
        flow: FlowKey {
            generation: 0,
            ..*flow
        },
        place,
    }
}
