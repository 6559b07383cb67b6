//! Loads the programs into the running kernel, each by itself.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use aya::maps::{Array, HashMap, Map, MapData, RingBuf};
use aya::{Btf, Ebpf, EbpfLoader, Endianness};
use insight_ebpf::abi::{
    FlowEntry, FlowKey, LiveSocket, PHASE_COUNTING, PROTOCOL_TCP, PROTOCOL_UDP, ROLE_CLIENT,
    ROLE_SERVER, SWITCH_OVERFLOWED, SWITCH_PHASE, Settings,
};

use super::connects::{Connects, Dialing};
use super::evict::Retire;
use super::readout::Readout;
use super::tasks::Tasks;
use super::threads::{self, Charges};
use super::turns::Turns;
use super::udp::{Udp, monotonic_ns};
use super::wire::Wire;
use super::{Births, Doorbell, Probe, btf, capabilities, fields, object, pins, probes, system};

/// How long after the first readout sockets without a file go on closing unread: longer than a delayed ACK (40 ms, 200 ms at
/// most: `TCP_DELACK_MAX`), which holds a socket that its program has closed.
const CLOSING_TIME: Duration = Duration::from_millis(250);

/// The entries of the flow map for what finds no room in it; they take some of its own.
const CATCH_ALL: [FlowKey; 4] = [
    FlowKey::catch_all(ROLE_CLIENT, PROTOCOL_TCP),
    FlowKey::catch_all(ROLE_SERVER, PROTOCOL_TCP),
    FlowKey::catch_all(ROLE_CLIENT, PROTOCOL_UDP),
    FlowKey::catch_all(ROLE_SERVER, PROTOCOL_UDP),
];

/// What to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Id of the cgroup below which sockets are counted.
    pub scope_cgroup: u64,
    /// Depth of that cgroup below the cgroup v2 root; 0 counts all.
    pub scope_level: u32,
    /// The directory of that cgroup.
    pub cgroup_root: Option<PathBuf>,
    /// How much of UDP is counted.
    pub udp: Udp,
    /// Whether programs of all of UDP's modes are tried.
    pub every_mode: bool,
    /// Room in the flow map.
    pub max_flows: u32,
    /// Bits that are kept of the address of a server's client outside of the cluster: IPv4, IPv6.
    pub prefixes: (u8, u8),
    /// The kernel's BTF, normally `/sys/kernel/btf/vmlinux`.
    pub btf: PathBuf,
    /// Where maps and links are pinned; without it they go with the agent.
    pub pins: Option<PathBuf>,
    /// Whether pinned programs count already, and this agent goes on with what they have.
    pub resume: bool,
    /// Whether to count how long threads wait for a CPU.
    pub sched: bool,
    /// When dialed addresses are looked for.
    pub dialing: Dialing,
}

/// The loaded programs. What is not pinned is detached when it is dropped.
pub struct Kernel {
    pub(super) ebpf: Ebpf,
    pub(super) readout: Option<Readout>,
    pub(super) retire: Option<Retire>,
    /// The iterator over threads.
    pub(super) waits: Option<OwnedFd>,
    pub(super) probes: Vec<Probe>,
    pub(super) charges: Charges,
    pub(super) connects: Connects,
    max_flows: u32,
    pub(super) is_pinned: bool,
}

impl Kernel {
    /// Loads and attaches everything that this kernel takes. Fails only if not even the maps can be made; what a program's
    /// refusal costs is in [`Kernel::probes`].
    pub fn load(options: &LoadOptions) -> Result<Self> {
        let object = object::bytes()?;
        let types = std::fs::read(&options.btf).with_context(|| {
            format!(
                "read the kernel's types from {} (a kernel with CONFIG_DEBUG_INFO_BTF=y has them; every current distribution's does)",
                options.btf.display()
            )
        })?;
        let known = btf::Btf::parse(&types)?;
        let (offsets, tasks) = (fields::offsets(&known)?, Tasks::of(&known)?);
        drop(known);
        let turns = Turns::here()?;
        let settings = Settings {
            scope_cgroup: options.scope_cgroup,
            scope_level: options.scope_level,
            steady_runs: turns.steady_runs.into(),
            cpus: turns.cpus,
            prefix_v4: options.prefixes.0,
            prefix_v6: options.prefixes.1,
            udp: options.udp.number(),
            loaded_ns: monotonic_ns(),
        };
        let btf = Btf::parse(&types, Endianness::default()).context("parse the kernel's BTF")?;
        drop(types);
        let mut loader = EbpfLoader::new();
        if let Some(folder) = &options.pins {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("make the folder {}", folder.display()))?;
            for name in pins::MAPS {
                loader.map_pin_path(name, folder.join(name));
            }
        }
        let (offsets, settings) = (Wire(offsets), Wire(settings));
        let (task_offsets, waits_since) = (Wire(tasks.offsets), threads::now());
        // For agents to come; without pins there are none.
        let kept = options.pins.as_ref().map_or(1, |_| options.max_flows);
        loader
            .btf(Some(&btf))
            .override_global("OFFSETS", &offsets, true)
            .override_global("SETTINGS", &settings, true)
            .override_global("TASKS", &task_offsets, true)
            .override_global("WAITS_SINCE", &waits_since, true)
            .map_max_entries("FLOWS", options.max_flows)
            .map_max_entries("WATERMARKS", kept)
            .map_max_entries("BASELINE", kept)
            // As many flows, most of which have none.
            .map_max_entries("DIALED", options.max_flows)
            .map_max_entries("TURNS", turns.places())
            .map_max_entries(
                "CONVERSATIONS",
                options.udp.conversations(options.max_flows, turns.cpus),
            )
            .map_max_entries("OLDER", options.udp.older(turns.cpus))
            .map_max_entries("PEERS", options.udp.peers());
        if !options.sched {
            // Its buckets alone take 2 MiB.
            loader.map_max_entries("THREADS", 1);
        }
        let ebpf = loader.load(object).map_err(|error| {
            let error = anyhow::Error::from(error).context("make the kernel maps");
            let missing = capabilities::missing(capabilities::PROGRAMS);
            let error = probes::explain(&format!("{error:#}"), &missing);
            match missing.is_empty() {
                // A runtime may forbid it to whoever has them all.
                true => anyhow!(error),
                false => anyhow!("{error}; run it as root, or give it what is missing"),
            }
        })?;
        let mut kernel = Self {
            ebpf,
            readout: None,
            retire: None,
            waits: None,
            probes: Vec::new(),
            charges: Charges::default(),
            connects: Connects::new(
                options.dialing,
                options.cgroup_root.clone(),
                options.btf.clone(),
            ),
            max_flows: options.max_flows,
            is_pinned: options.pins.is_some(),
        };
        kernel.attach(&btf, options, turns.steady_runs)?;
        kernel.attach_threads(&btf, &tasks, options.sched);
        drop(btf);
        kernel.watch_connects();
        Ok(kernel)
    }

    /// What runs and what does not.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// Whether connections are counted.
    pub fn counts(&self) -> bool {
        self.probes
            .iter()
            .all(|probe| probe.attached || !probe.required)
    }

    /// Whether open connections are read.
    pub fn reads_live(&self) -> bool {
        self.readout.is_some()
    }

    /// Room in the flow map.
    pub fn max_flows(&self) -> u32 {
        self.max_flows
    }

    /// Learns what the open connections had moved before the agent started: a record with `baseline` set for each. To be called
    /// once, before anything else is read. Takes a quarter of a second.
    pub fn take_baseline(&mut self, each: impl FnMut(&LiveSocket)) -> Result<()> {
        let Some(readout) = &self.readout else {
            return Ok(());
        };
        readout.read(each)?;
        #[expect(clippy::disallowed_methods, reason = "before anything else runs")]
        std::thread::sleep(CLOSING_TIME);
        self.set_switch(SWITCH_PHASE, PHASE_COUNTING)?;
        let marks = self.map("MARKS")?;
        system::clear::<u64, u8>(data(marks)?.fd().as_fd()).context("empty the map MARKS")?;
        Ok(())
    }

    /// Shows every entry of the flow map: totals from closed connections.
    pub fn closed(&self, each: impl FnMut(&FlowKey, &FlowEntry)) -> Result<()> {
        let flows = data(self.map("FLOWS")?)?;
        system::each(flows.fd().as_fd(), each).context("read the flow map")
    }

    /// The entry of one flow.
    pub fn closed_of(&self, key: &FlowKey) -> Result<Option<FlowEntry>> {
        let flows: HashMap<_, Wire<FlowKey>, Wire<FlowEntry>> = self.map("FLOWS")?.try_into()?;
        match flows.get(&Wire(*key), 0) {
            Ok(entry) => Ok(Some(entry.0)),
            Err(aya::maps::MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error).context("look up a flow"),
        }
    }

    /// Shows every open connection, once for each descriptor; whether this kernel has a readout.
    pub fn live(&self, each: impl FnMut(&LiveSocket)) -> Result<bool> {
        let Some(readout) = &self.readout else {
            return Ok(false);
        };
        readout.read(each)?;
        Ok(true)
    }

    /// Events that found no room in the flow map, and went to a catch-all entry.
    pub fn overflowed(&self) -> Result<u64> {
        self.switch(SWITCH_OVERFLOWED)
    }

    /// The bell of new flows; once.
    pub fn doorbell(&mut self) -> Result<Doorbell> {
        let map = self
            .ebpf
            .take_map("NEW_FLOWS")
            .context("the doorbell was taken already")?;
        Doorbell::new(RingBuf::try_from(map)?)
    }

    /// Cgroups as they are made; once.
    pub fn births(&mut self) -> Result<Births> {
        let map = self
            .ebpf
            .take_map("BIRTHS")
            .context("the births were taken already")?;
        Ok(Births(RingBuf::try_from(map)?))
    }

    pub(super) fn switch(&self, index: u32) -> Result<u64> {
        let array: Array<_, u64> = self.map("SWITCHES")?.try_into()?;
        array.get(&index, 0).context("read the map SWITCHES")
    }

    pub(super) fn set_switch(&mut self, index: u32, value: u64) -> Result<()> {
        let mut array: Array<_, u64> = self.map_mut("SWITCHES")?.try_into()?;
        array.set(index, value, 0).context("write the map SWITCHES")
    }

    /// Room for what finds none.
    pub(super) fn add_catch_all(&mut self) -> Result<()> {
        let mut flows: HashMap<_, Wire<FlowKey>, Wire<FlowEntry>> =
            self.map_mut("FLOWS")?.try_into()?;
        for key in CATCH_ALL {
            flows
                .insert(Wire(key), Wire(FlowEntry::default()), 0)
                .context("write the map FLOWS")?;
        }
        Ok(())
    }

    pub(super) fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        self.ebpf
            .map_mut(name)
            .with_context(|| format!("the BPF object has no map {name}"))
    }

    pub(super) fn maps(&self) -> impl Iterator<Item = (&str, &Map)> {
        self.ebpf.maps()
    }

    pub(super) fn map(&self, name: &str) -> Result<&Map> {
        self.ebpf
            .map(name)
            .with_context(|| format!("the BPF object has no map {name}"))
    }
}

pub(super) fn data(map: &Map) -> Result<&MapData> {
    match map {
        Map::HashMap(data) | Map::LruHashMap(data) => Ok(data),
        _ => bail!("this map is no hash map"),
    }
}
