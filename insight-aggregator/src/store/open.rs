//! `--store` names a store.

use std::sync::Arc;

use anyhow::{Result, bail};

use super::{Memory, Store};

/// Opens the store that an URL names: `memory:` forgets everything at the end, for trying out.
pub fn open(url: &str) -> Result<Arc<dyn Store>> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Arc::new(Memory::new())),
        _ => bail!("{url:?} names no store; use \"embedded:DIR\", or \"memory:\" for trying out"),
    }
}
