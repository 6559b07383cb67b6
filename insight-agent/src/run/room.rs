//! Room in the flow map: idle entries are removed, and clients outside of the cluster are counted by prefix.

use std::time::Instant;

use anyhow::{Context, Result};
use tracing::{info, warn};

use super::collect::Collector;
use crate::flows::{Range, Ranges};
use crate::kernel::Kernel;

impl Collector {
    /// Removes what is idle, in two steps. To be called after a full reading, when all that was batched is durable. What fails is tried again
    /// with the next reading.
    pub(super) fn make_room(&mut self, kernel: &mut Kernel) {
        if !kernel.retires() {
            return;
        }
        let now = Instant::now();
        let removable = self.accounts.removable(now);
        let removed = kernel
            .remove(&removable)
            .and_then(|()| {
                self.accounts.forget(&removable);
                self.dialed.forget(&removable);
                self.conntrack.forget(&removable);
                kernel.forget(&removable)
            })
            .and_then(|()| kernel.forget_dialed(&removable))
            .and_then(|()| kernel.retire(&self.accounts.idle(now, self.idle)));
        if let Err(error) = removed {
            warn!("entries of idle flows stay in the flow map: {error:#}");
        }
        self.last.flow_map.removed += removable.len() as u64;
    }

    /// Ranges as an agent before has left them.
    pub(super) fn take_over_ranges(&mut self, kernel: &Kernel) -> Result<()> {
        let (inside, exceptions): (Vec<_>, Vec<_>) = kernel
            .ranges()?
            .into_iter()
            .partition(|(_, inside)| *inside);
        self.ranges = Ranges::kept(
            inside.into_iter().map(|(range, _)| range),
            exceptions.into_iter().map(|(range, _)| range.address),
        );
        Ok(())
    }

    /// The cluster's ranges are these from now on; none: they are unknown.
    pub(super) fn set_ranges(&mut self, kernel: &mut Kernel, asked: &[Range]) -> Result<()> {
        let begins = !kernel.widens()?;
        if begins && asked.is_empty() {
            return Ok(());
        }
        let new = Ranges::all(asked);
        let added: Vec<_> = new.difference(self.ranges.inside()).copied().collect();
        let gone: Vec<_> = self.ranges.inside().difference(&new).copied().collect();
        if added.is_empty() && gone.is_empty() {
            return Ok(());
        }
        if !begins {
            kernel.live(|record| self.ranges.foresee(record, &new))?;
            self.except(kernel)?;
        }
        kernel.add_ranges(added.into_iter(), true)?;
        kernel.remove_ranges(gone.into_iter())?;
        self.ranges.set(new);
        if begins {
            kernel.begin_widening()?;
        }
        info!(
            ranges = asked.len(),
            "the aggregator says what the cluster's address ranges are; clients of servers from outside are counted by prefix"
        );
        Ok(())
    }

    /// After a full reading.
    pub(super) fn settle_exceptions(&mut self, kernel: &mut Kernel) {
        let needless = self.ranges.take_needless();
        let settled = kernel
            .remove_ranges(needless.iter().map(|address| Range::of(*address)))
            .and_then(|()| {
                // One of them may be a range, too.
                let ranges = needless.iter().map(|address| Range::of(*address));
                let inside: Vec<_> = ranges
                    .filter(|range| self.ranges.inside().contains(range))
                    .collect();
                kernel.add_ranges(inside.into_iter(), true)
            })
            .and_then(|()| self.except(kernel));
        if let Err(error) = settled {
            warn!("the bytes of some open connections arrive when they close: {error:#}");
        }
    }

    fn except(&mut self, kernel: &mut Kernel) -> Result<()> {
        let wanted = self.ranges.take_wanted();
        kernel
            .add_ranges(wanted.iter().map(|address| Range::of(*address)), false)
            .context("keep open connections where they are counted")?;
        self.ranges.excepted(wanted);
        Ok(())
    }
}
