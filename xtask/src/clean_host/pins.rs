//! BPF file systems that tests have mounted: what is pinned there keeps programs attached.

use anyhow::Result;

use super::Tally;
use super::mounts;

/// How the names of the tests' mount points begin.
const PREFIX: &str = "insight-bpf-";

/// Unmounts them, which detaches their programs, and removes the mount points.
pub(super) fn clean(tally: &mut Tally) -> Result<()> {
    mounts::unmount(&mounts::points(&["bpf"])?, PREFIX, tally);
    Ok(())
}
