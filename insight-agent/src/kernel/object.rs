//! The compiled programs, embedded when the agent was built.

use anyhow::{Result, bail};

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/insight-ebpf.o"));

/// The BPF object, an ELF file.
pub(super) fn bytes() -> Result<&'static [u8]> {
    if OBJECT.is_empty() {
        bail!(
            "this insight-agent was built without its BPF programs: build it with 'cargo xtask build'"
        );
    }
    Ok(OBJECT)
}
