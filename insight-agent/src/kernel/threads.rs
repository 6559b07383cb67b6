//! What threads wait, and which processes are killed, by cgroup.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use aya::Btf;
use aya::maps::Array;
use aya::programs::Iter;
use insight_ebpf::abi::{CgroupTotals, Missed};
use rustix::time::{ClockId, clock_gettime};

use super::load::data;
use super::probes::{ENDS, VICTIMS, WAITS};
use super::tasks::Tasks;
use super::wire::Wire;
use super::{Kernel, Probe, readout, system};

/// What the programs add to cgroups here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// Waiting for a CPU.
    pub waits: bool,
    /// Kills for want of memory.
    pub kills: bool,
}

/// The kernel's clock of births, nanoseconds since boot.
pub(super) fn now() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let now = Duration::try_from(now).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

impl Kernel {
    /// Attaches the programs of cgroups; with `sched` those that count waiting, too. None is pinned: nobody pays for what nobody reads.
    pub(super) fn attach_threads(&mut self, btf: &Btf, tasks: &Tasks, sched: bool) {
        let (program, hook, victims) = match tasks.victim_is_task {
            true => ("victims", "mark_victim", VICTIMS),
            false => (
                "reaped",
                "sched_process_free",
                Probe {
                    hook: "tp_btf/sched_process_free",
                    ..VICTIMS
                },
            ),
        };
        let attached = tasks
            .has(&["cgrp", "cgroups", "oom_mm", "signal", "pid", "tgid"])
            .and_then(|()| self.attach_tracepoint(program, hook, btf, None));
        self.charges.kills = attached.is_ok();
        self.probes.push(victims.came_to(attached));
        if !sched {
            return;
        }
        // Before the first pass: what ends in between is counted by `ends`.
        let ends = tasks
            .has(&["cgrp", "cgroups", "sched_info", "start_boottime"])
            .and_then(|()| self.attach_tracepoint("ends", "sched_process_free", btf, None));
        let waits = match &ends {
            Ok(()) => self.attach_waits(btf),
            // Entries of threads that are gone would fill the map.
            Err(_) => Err(anyhow!("it is of no use without 'ends'")),
        };
        self.charges.waits = ends.is_ok();
        self.probes.push(WAITS.came_to(waits));
        self.probes.push(ENDS.came_to(ends));
    }

    fn attach_waits(&mut self, btf: &Btf) -> Result<()> {
        let program: &mut Iter = self
            .ebpf
            .program_mut("waits")
            .context("the BPF object has no program 'waits'")?
            .try_into()?;
        program.load("task", btf).context("load")?;
        readout::needs_host_processes()?;
        let link =
            system::link_iterator(program.fd()?.as_fd(), None).context("link the iterator")?;
        self.waits = Some(link);
        Ok(())
    }

    /// What [`Kernel::charged`] tells here.
    pub fn charges(&self) -> Charges {
        self.charges
    }

    /// What was counted in each cgroup itself, those below it left out. One pass over all threads comes first where waiting is counted.
    pub fn charged(&self) -> Result<Vec<(u64, CgroupTotals)>> {
        if let Some(link) = &self.waits {
            pass(link)?;
        }
        let map = data(self.map("CGROUPS")?)?;
        system::entries(map.fd().as_fd()).context("read the map CGROUPS")
    }

    /// Forgets cgroups that are gone.
    pub fn forget_cgroups(&mut self, cgroups: &[u64]) -> Result<()> {
        let map = data(self.map("CGROUPS")?)?;
        system::remove(map.fd().as_fd(), cgroups).context("delete from the map CGROUPS")
    }

    /// What found no room in the maps of threads and cgroups.
    pub fn missed(&self) -> Result<Missed> {
        let missed: Array<_, Wire<Missed>> = self.map("MISSED")?.try_into()?;
        Ok(missed.get(&0, 0).context("read the map MISSED")?.0)
    }
}

/// The program writes nothing to the reader.
fn pass(link: &OwnedFd) -> Result<()> {
    let mut pass = system::iterate(link.as_fd()).context("start a pass over the threads")?;
    loop {
        match pass.read(&mut [0; 64]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // After a million threads the kernel lets the reader breathe.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).context("read the threads"),
        }
    }
}
