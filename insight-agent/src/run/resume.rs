//! A collector begins, or goes on with what an agent before has left in the kernel.

use std::collections::HashMap;

use anyhow::Result;
use insight_ebpf::abi::{self, FlowKey, State};

use super::collect::{Collector, settled};
use crate::boot;
use crate::flows::{Accounts, Baseline};
use crate::kernel::Kernel;

impl Collector {
    /// Counting begins; `state` says whose it is.
    pub(super) fn begin(&mut self, kernel: &mut Kernel, state: State) -> Result<()> {
        let mut baseline = Baseline::default();
        kernel.take_baseline(|record| baseline.meet(record))?;
        self.from_unix_ms = boot::now_unix_ms();
        let now = self.from_unix_ms.unsigned_abs();
        let baseline = of_entries(&baseline, kernel)?;
        kernel.keep_baseline(baseline.iter().map(|(key, moved)| (key, moved)))?;
        self.state = State {
            complete: 1,
            reported_until_ms: now,
            sequence_until_ms: now,
            ..state
        };
        // Last: from here on there is something to resume.
        kernel.set_state(&self.state)?;
        self.accounts = Accounts::begin(baseline);
        Ok(())
    }

    /// Counting goes on, as an agent before has left it. What that one has reported is known after [`Self::resume`].
    pub(super) fn take_over(&mut self, kernel: &Kernel) -> Result<()> {
        self.state = kernel.state()?;
        self.accounts = Accounts::begin(kernel.baseline()?);
        self.dialed.note(&kernel.dialed()?);
        self.take_over_ranges(kernel)
    }

    /// Reporting goes on: the aggregator has everything of the agent before up to the batch `durable`. The sequence of the last batch
    /// that was made.
    pub(super) fn resume(&mut self, kernel: &mut Kernel, durable: u64) -> Result<u64> {
        let mut born = HashMap::new();
        kernel.closed(|key, entry| {
            born.insert(*key, entry.born);
        })?;
        let (mut marks, stale): (Vec<_>, Vec<_>) = kernel
            .watermarks()?
            .into_iter()
            .partition(|(key, mark)| born.get(key) == Some(&mark.born));
        // Their entries were removed.
        let stale: Vec<FlowKey> = stale.into_iter().map(|(key, _)| key).collect();
        kernel.forget(&stale)?;
        // Its last batch is lost if it is not durable now: it must not seem so when a later one is.
        let lost = marks.iter_mut().filter(|(_, mark)| mark.sequence > durable);
        let mended: Vec<_> = lost
            .map(|(key, mark)| {
                *mark = settled(mark.born, *mark.reported(durable));
                (*key, *mark)
            })
            .collect();
        kernel.keep_watermarks(mended.iter().map(|(key, mark)| (key, mark)))?;
        let reported = marks
            .iter()
            .map(|(key, mark)| (*key, mark.born, *mark.reported(durable)));
        self.accounts.resume(reported);
        let until = if self.state.sequence <= durable {
            self.state.sequence_until_ms
        } else {
            self.state.reported_until_ms
        };
        self.from_unix_ms = until.cast_signed().min(boot::now_unix_ms());
        Ok(self.state.sequence.max(durable))
    }
}

/// The baseline of each entry of the flow map.
fn of_entries(baseline: &Baseline, kernel: &Kernel) -> Result<Vec<(FlowKey, abi::Baseline)>> {
    let mut of_entries = Vec::new();
    kernel.closed(|key, entry| {
        if let Some(moved) = baseline.flows.get(key) {
            let (born, moved) = (entry.born, *moved);
            of_entries.push((*key, abi::Baseline { born, moved }));
        }
    })?;
    Ok(of_entries)
}
