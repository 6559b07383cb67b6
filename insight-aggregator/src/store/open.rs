//! `--store` names a store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{Access, Cassandra, Embedded, Memory, Store, Table, cassandra};

/// Opens the store that an URL names: `embedded:DIR` keeps rows in a folder, `cassandra://HOST/KEYSPACE` keeps them there, `memory:` forgets everything
/// at the end and is for trying out. Errors: [`super::WrongSchema`], or why it cannot be opened.
pub fn open(
    url: &str,
    access: &Access,
    tables: &[Table],
    retention: Duration,
) -> Result<Arc<dyn Store>> {
    match url.split_once(':') {
        Some(("embedded", dir)) if !dir.is_empty() => {
            let store = Embedded::open(Path::new(dir))
                .with_context(|| format!("opening the store {url}"))?;
            Ok(Arc::new(store))
        }
        Some((cassandra::SCHEME, _)) => {
            let store = Cassandra::open(url, access, tables, retention)
                .context("opening the store in Cassandra")?;
            Ok(Arc::new(store))
        }
        Some(("memory", "")) => Ok(Arc::new(Memory::new())),
        _ => bail!(
            "{url:?} names no store; use \"embedded:DIR\", for example \"embedded:/var/lib/insight\", \"cassandra://HOST/KEYSPACE\", or \"memory:\" \
             to try out without keeping anything"
        ),
    }
}

/// Whether an URL names a store; why not never shows what may be a password.
pub fn is_url(url: &str) -> Result<()> {
    match url.split_once(':') {
        Some(("embedded", folder)) if !folder.is_empty() => Ok(()),
        Some(("memory", "")) => Ok(()),
        Some((cassandra::SCHEME, _)) => {
            cassandra::check(url).context("this cannot be the store in Cassandra")
        }
        _ => bail!("{url:?} names no store"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_stores_and_others_are_told_what_works() {
        let dir = tempfile::tempdir().unwrap();
        let open = |url: &str| open(url, &Access::default(), &[], Duration::ZERO);
        open(&format!("embedded:{}", dir.path().join("a/b").display())).unwrap();
        assert!(dir.path().join("a/b/FORMAT").exists());
        open("memory:").unwrap();
        for url in ["", "embedded:", "embedded", "/var/lib/insight", "memory:x"] {
            let error = open(url).err().expect(url).to_string();
            assert!(is_url(url).is_err());
            assert!(error.contains("embedded:DIR"), "{error}");
        }
        let error = format!("{:#}", is_url("cassandra://me:hush@host/k").unwrap_err());
        assert!(
            error.contains("password") && !error.contains("hush"),
            "{error}"
        );
    }
}
