//! UDP's programs: which of them a mode needs, and how they are attached.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use aya::programs::links::FdLink;
use aya::programs::{CgroupAttachMode, CgroupSock, CgroupSockAddr};
use aya::{Btf, Ebpf};
use insight_ebpf::abi::{Conversation, FlowKey, Talk, UDP_BYTES, UDP_EDGES, UDP_OFF, WINDOW_NS};

use super::attach::runs_already;
use super::load::data;
use super::probes::{UDP, UDP_LENGTHS, UDP_RELEASE};
use super::{Kernel, LoadOptions, Probe, system};

/// Each of these has an address beside the datagram.
const ADDRESSED: [&str; 4] = ["udp_send4", "udp_send6", "udp_recv4", "udp_recv6"];
const RELEASE: &str = "udp_release";
const LENGTHS: [(&str, &str); 2] = [
    ("udp_sent", "sock_send_length"),
    ("udp_received", "sock_recv_length"),
];

/// How much of UDP is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Udp {
    /// Nothing.
    #[default]
    Off,
    /// Who talks to whom.
    Edges,
    /// Datagrams and bytes too.
    Bytes,
}

impl Udp {
    /// As the programs know it.
    pub fn number(self) -> u16 {
        match self {
            Self::Off => UDP_OFF,
            Self::Edges => UDP_EDGES,
            Self::Bytes => UDP_BYTES,
        }
    }

    /// What [`Udp::number`] made.
    pub fn from_number(number: u16) -> Self {
        match number {
            UDP_EDGES => Self::Edges,
            UDP_BYTES => Self::Bytes,
            _ => Self::Off,
        }
    }

    /// Room for conversations, with room for flows: DNS makes many that are soon over. Each CPU keeps some places for itself.
    pub(super) fn conversations(self, max_flows: u32, cpus: u32) -> u32 {
        match self {
            Self::Off => 1,
            _ => (max_flows / 4).max(256 * cpus),
        }
    }

    /// Room for sockets that are older than the counting.
    pub(super) fn older(self, cpus: u32) -> u32 {
        match self {
            Self::Off => 1,
            _ => 4_096.max(256 * cpus),
        }
    }

    /// Places for threads; as many as `talks.rs` says.
    pub(super) fn peers(self) -> u32 {
        match self {
            Self::Bytes => 8_192,
            _ => 1,
        }
    }
}

impl Kernel {
    /// Attaches what the mode needs. What fails is shown, and the rest runs on.
    pub(super) fn attach_udp(&mut self, btf: &Btf, options: &LoadOptions) {
        let probes = match options.udp {
            Udp::Off => return,
            _ if options.every_mode => vec![UDP, UDP_RELEASE, UDP_LENGTHS],
            Udp::Edges => vec![UDP, UDP_RELEASE],
            Udp::Bytes => vec![UDP, UDP_LENGTHS],
        };
        for probe in probes {
            let attached = self.attach_one(&probe, btf, options);
            self.probes.push(match attached {
                Ok(()) => probe.runs(),
                Err(error) => probe.fails(&error),
            });
        }
    }

    fn attach_one(&mut self, probe: &Probe, btf: &Btf, options: &LoadOptions) -> Result<()> {
        let pin = |name: &str| options.pins.as_ref().map(|folder| folder.join(name));
        let lengths = LENGTHS.map(|(name, _)| name);
        let names: &[&str] = match probe.name {
            name if name == UDP.name => &ADDRESSED,
            name if name == UDP_RELEASE.name => &[RELEASE],
            _ => &lengths,
        };
        if options.resume
            && let Some(pins) = names
                .iter()
                .map(|name| pin(name))
                .collect::<Option<Vec<_>>>()
        {
            return pins.iter().try_for_each(|pin| runs_already(pin));
        }
        if probe.name == UDP_LENGTHS.name {
            return LENGTHS.iter().try_for_each(|(name, hook)| {
                self.attach_tracepoint(name, hook, btf, pin(name).as_deref())
            });
        }
        let cgroup = options.cgroup_root.as_deref().context("no cgroup root")?;
        let cgroup =
            File::open(cgroup).with_context(|| format!("open the cgroup {}", cgroup.display()))?;
        names.iter().try_for_each(|name| {
            attach_to_cgroup(&mut self.ebpf, name, &cgroup, pin(name).as_deref())
        })
    }

    /// The conversations that go on, by flow.
    pub fn conversations(&self) -> Result<HashMap<FlowKey, u64>> {
        let map = data(self.map("CONVERSATIONS")?)?;
        let all = system::entries::<Conversation, Talk>(map.fd().as_fd())
            .context("read the conversations")?;
        let now = monotonic_ns();
        let mut by_flow = HashMap::new();
        for (with, talk) in all {
            // The place of answers to a group is no conversation.
            let is_one = with.remote_port != 0 || with.remote != [0; 4];
            if is_one && now.saturating_sub(talk.last_ns) < WINDOW_NS {
                *by_flow.entry(talk.flow).or_default() += 1;
            }
        }
        Ok(by_flow)
    }
}

fn attach_to_cgroup(ebpf: &mut Ebpf, name: &str, cgroup: &File, pin: Option<&Path>) -> Result<()> {
    let missing = || format!("the BPF object has no program '{name}'");
    let program = ebpf.program_mut(name).with_context(missing)?;
    // One beside others: each link has a place of its own.
    let mode = CgroupAttachMode::Single;
    let link: FdLink = if name == RELEASE {
        let program: &mut CgroupSock = program.try_into()?;
        program.load().context("load")?;
        let link = program.attach(cgroup, mode).context("attach")?;
        if pin.is_none() {
            return Ok(());
        }
        program.take_link(link)?.try_into()?
    } else {
        let program: &mut CgroupSockAddr = program.try_into()?;
        program.load().context("load")?;
        let link = program.attach(cgroup, mode).context("attach")?;
        if pin.is_none() {
            return Ok(());
        }
        program.take_link(link)?.try_into()?
    };
    if let Some(pin) = pin {
        link.pin(pin)
            .with_context(|| format!("pin the link at {}", pin.display()))?;
    }
    Ok(())
}

/// As `bpf_ktime_get_ns` tells it.
pub(super) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
