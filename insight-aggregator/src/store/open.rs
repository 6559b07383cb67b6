//! `--store` names a store.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::{Embedded, Memory, Store};

/// Opens the store that an URL names: `embedded:DIR` keeps rows in a folder, `memory:` forgets everything at the end and is
/// for trying out.
pub fn open(url: &str) -> Result<Arc<dyn Store>> {
    match url.split_once(':') {
        Some(("embedded", dir)) if !dir.is_empty() => {
            let store = Embedded::open(Path::new(dir))
                .with_context(|| format!("opening the store {url}"))?;
            Ok(Arc::new(store))
        }
        Some(("memory", "")) => Ok(Arc::new(Memory::new())),
        _ => bail!(
            "{url:?} names no store; use \"embedded:DIR\", for example \"embedded:/var/lib/insight\", or \"memory:\" \
             to try out without keeping anything"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_stores_and_others_are_told_what_works() {
        let dir = tempfile::tempdir().unwrap();
        open(&format!("embedded:{}", dir.path().join("a/b").display())).unwrap();
        assert!(dir.path().join("a/b/FORMAT").exists());
        open("memory:").unwrap();
        for url in [
            "",
            "embedded:",
            "embedded",
            "/var/lib/insight",
            "cassandra://host",
            "memory:x",
        ] {
            let error = open(url).err().expect(url).to_string();
            assert!(error.contains("embedded:DIR"), "{error}");
        }
    }
}
