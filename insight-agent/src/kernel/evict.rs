//! Removes entries from the flow map: first they are retired, later deleted; see `insight-ebpf/src/programs/retire.rs`.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use aya::programs::Iter;
use aya::{Btf, Ebpf};
use insight_ebpf::abi::{FlowKey, SWITCH_SPARES_GONE, SWITCH_SPARES_MADE};

use super::load::data;
use super::{Kernel, system};

/// The attached program.
pub(super) struct Retire {
    link: OwnedFd,
}

impl Retire {
    pub(super) fn attach(ebpf: &mut Ebpf, btf: &Btf) -> Result<Self> {
        let list = ebpf
            .map("RETIRING")
            .context("the BPF object has no map RETIRING")?;
        let list = data(list)?.fd().as_fd().try_clone_to_owned()?;
        let program: &mut Iter = ebpf
            .program_mut("retire")
            .context("the BPF object has no program 'retire'")?
            .try_into()?;
        program.load("bpf_map_elem", btf).context("load")?;
        let link = system::link_iterator(program.fd()?.as_fd(), Some(list.as_fd()))
            .context("link the iterator")?;
        Ok(Self { link })
    }
}

impl Kernel {
    /// Whether entries of idle flows can be removed.
    pub fn retires(&self) -> bool {
        self.retire.is_some()
    }

    /// From soon on nothing is added to the entries of these flows: programs that found them before may still do so for a moment.
    pub fn retire(&mut self, flows: &[FlowKey]) -> Result<()> {
        let Some(retire) = &self.retire else {
            return Ok(());
        };
        if flows.is_empty() {
            return Ok(());
        }
        let list = data(self.map("RETIRING")?)?;
        system::write(list.fd().as_fd(), flows.iter().map(|key| (key, &1_u8)))
            .context("write the map RETIRING")?;
        let mut pass =
            system::iterate(retire.link.as_fd()).context("start the program 'retire'")?;
        let ran = pass.read(&mut [0; 64]).context("run the program 'retire'");
        system::clear::<FlowKey, u8>(list.fd().as_fd()).context("empty the map RETIRING")?;
        ran.map(drop)
    }

    /// Removes the entries of retired flows.
    pub fn remove(&mut self, flows: &[FlowKey]) -> Result<()> {
        let map = data(self.map("FLOWS")?)?;
        system::remove(map.fd().as_fd(), flows).context("delete from the flow map")
    }

    /// Second entries that were made so far.
    pub fn spares_made(&self) -> Result<u64> {
        self.switch(SWITCH_SPARES_MADE)
    }

    /// None of the second entries that were made until then is left: programs need not look for any.
    pub fn spares_gone(&mut self, made: u64) -> Result<()> {
        self.set_switch(SWITCH_SPARES_GONE, made)
    }
}
