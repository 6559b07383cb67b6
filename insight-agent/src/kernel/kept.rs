//! What the kernel keeps for agents to come: whose counts these are, and how much of them was reported.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use aya::maps::Array;
use insight_ebpf::abi::{Baseline, FlowKey, State, Watermark};

use super::load::data;
use super::wire::Wire;
use super::{Kernel, system};

impl Kernel {
    /// Whose counts these are; zeroes until [`Kernel::set_state`].
    pub fn state(&self) -> Result<State> {
        let state: Array<_, Wire<State>> = self.map("STATE")?.try_into()?;
        Ok(state.get(&0, 0).context("read the map STATE")?.0)
    }

    /// Keeps whose counts these are.
    pub fn set_state(&mut self, state: &State) -> Result<()> {
        let mut map: Array<_, Wire<State>> = self.map_mut("STATE")?.try_into()?;
        map.set(0, Wire(*state), 0).context("write the map STATE")
    }

    /// Keeps the baseline for agents to come.
    pub fn keep_baseline<'a>(
        &mut self,
        baseline: impl Iterator<Item = (&'a FlowKey, &'a Baseline)>,
    ) -> Result<()> {
        self.keep("BASELINE", baseline)
    }

    /// The baseline that an agent before has kept.
    pub fn baseline(&self) -> Result<Vec<(FlowKey, Baseline)>> {
        let map = data(self.map("BASELINE")?)?;
        system::entries(map.fd().as_fd()).context("read the map BASELINE")
    }

    /// Keeps how much of some flows is reported, for agents to come.
    pub fn keep_watermarks<'a>(
        &mut self,
        marks: impl Iterator<Item = (&'a FlowKey, &'a Watermark)>,
    ) -> Result<()> {
        self.keep("WATERMARKS", marks)
    }

    /// How much of each flow agents before have reported.
    pub fn watermarks(&self) -> Result<Vec<(FlowKey, Watermark)>> {
        let map = data(self.map("WATERMARKS")?)?;
        system::entries(map.fd().as_fd()).context("read the map WATERMARKS")
    }

    /// Forgets what is kept of flows whose entries are gone.
    pub fn forget(&mut self, flows: &[FlowKey]) -> Result<()> {
        if !self.is_pinned || flows.is_empty() {
            return Ok(());
        }
        for name in ["WATERMARKS", "BASELINE"] {
            let map = data(self.map(name)?)?;
            system::remove(map.fd().as_fd(), flows)
                .with_context(|| format!("delete from the map {name}"))?;
        }
        Ok(())
    }

    fn keep<'a, V: system::Plain + 'a>(
        &self,
        name: &str,
        entries: impl Iterator<Item = (&'a FlowKey, &'a V)>,
    ) -> Result<()> {
        if !self.is_pinned {
            return Ok(());
        }
        let map = data(self.map(name)?)?;
        system::write(map.fd().as_fd(), entries).with_context(|| format!("write the map {name}"))
    }
}
