//! The cluster's ranges in the kernel.

use anyhow::{Context, Result, bail};
use aya::maps::lpm_trie::{Key, LpmTrie};
use insight_ebpf::abi::{RANGE_INSIDE, RANGE_OUTSIDE, SWITCH_WIDENS};

use super::Kernel;
use crate::flows::Range;

type Octets = [u8; 16];

impl Kernel {
    /// Ranges, and whether they are inside; what is not inside is an exception.
    pub fn ranges(&self) -> Result<Vec<(Range, bool)>> {
        let map: LpmTrie<_, Octets, u8> = self.map("RANGES")?.try_into()?;
        map.iter()
            .map(|entry| {
                let (key, value) = entry.context("read the map RANGES")?;
                let range = Range {
                    address: u128::from_be_bytes(key.data()),
                    bits: u8::try_from(key.prefix_len()).context("read the map RANGES")?,
                };
                Ok((range, value == RANGE_INSIDE))
            })
            .collect()
    }

    /// Adds ranges, or exceptions.
    pub fn add_ranges(
        &mut self,
        ranges: impl Iterator<Item = Range>,
        are_inside: bool,
    ) -> Result<()> {
        let mut map: LpmTrie<_, Octets, u8> = self.map_mut("RANGES")?.try_into()?;
        let value = if are_inside {
            RANGE_INSIDE
        } else {
            RANGE_OUTSIDE
        };
        for range in ranges {
            map.insert(&key(range), value, 0)
                .context("write the map RANGES")?;
        }
        Ok(())
    }

    /// Removes ranges or exceptions.
    pub fn remove_ranges(&mut self, ranges: impl Iterator<Item = Range>) -> Result<()> {
        let mut map: LpmTrie<_, Octets, u8> = self.map_mut("RANGES")?.try_into()?;
        for range in ranges {
            match map.remove(&key(range)) {
                Ok(()) => {}
                Err(aya::maps::MapError::SyscallError(error))
                    if error.io_error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => bail!("delete from the map RANGES: {error}"),
            }
        }
        Ok(())
    }

    /// Whether clients outside of the ranges are counted by prefix.
    pub fn widens(&self) -> Result<bool> {
        Ok(self.switch(SWITCH_WIDENS)? != 0)
    }

    /// From now on they are.
    pub fn begin_widening(&mut self) -> Result<()> {
        self.set_switch(SWITCH_WIDENS, 1)
    }
}

fn key(range: Range) -> Key<Octets> {
    Key::new(range.bits.into(), range.address.to_be_bytes())
}
