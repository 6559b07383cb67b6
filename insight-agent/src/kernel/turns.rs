//! What the programs on one hook must know of each other; see `insight_ebpf::flow::Turns`.

use anyhow::{Context, Result, anyhow};
use insight_ebpf::abi::TURNS_OF_PROCESSES;

use super::Release;

/// Since then a tracepoint's programs may be preempted: it is guarded by SRCU in place of switched off preemption.
const PREEMPTIBLE: Release = Release(7, 0);

/// How they take turns on this machine.
pub(super) struct Turns {
    /// CPUs that there may ever be.
    pub(super) cpus: u32,
    /// Whether `steady` is needed.
    pub(super) steady_runs: bool,
}

impl Turns {
    pub(super) fn here() -> Result<Self> {
        let cpus = aya::util::nr_cpus().map_err(|(file, error)| anyhow!("read {file}: {error}"))?;
        let cpus = u32::try_from(cpus).context("more CPUs than a kernel can have")?;
        Ok(Self::on(Release::running(), cpus))
    }

    /// A kernel that does not say what it is may be a new one.
    fn on(kernel: Option<Release>, cpus: u32) -> Self {
        Self {
            cpus,
            steady_runs: kernel.is_none_or(|kernel| kernel >= PREEMPTIBLE),
        }
    }

    /// Places for notes: CPUs have one each, and so have processes where they can be preempted.
    pub(super) fn places(&self) -> u32 {
        if self.steady_runs {
            self.cpus + TURNS_OF_PROCESSES
        } else {
            self.cpus
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_preemptible_kernels_pay_for_it() {
        let old = Turns::on(Some(Release(6, 18)), 64);
        assert_eq!((old.places(), old.steady_runs), (64, false));
        let new = Turns::on(Some(Release(7, 3)), 64);
        assert!(new.steady_runs && new.places() == 64 + TURNS_OF_PROCESSES);
        assert!(Turns::on(None, 2).steady_runs);
    }
}
