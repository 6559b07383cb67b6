//! A command line of `--name value` and `--name`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, ensure};

/// Flags that were given and not taken yet.
#[derive(Debug, Default)]
pub struct Flags {
    given: BTreeMap<String, Option<String>>,
}

impl Flags {
    /// Splits a command line; a value is what follows a flag and does not begin with `--`.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut given = BTreeMap::new();
        let mut args = args.into_iter().peekable();
        while let Some(name) = args.next() {
            ensure!(name.starts_with("--"), "expected a flag, found {name:?}");
            let value = args.next_if(|next| !next.starts_with("--"));
            ensure!(
                given.insert(name.clone(), value).is_none(),
                "{name} is given twice"
            );
        }
        Ok(Self { given })
    }

    /// Takes a flag without a value.
    pub fn switch(&mut self, name: &str) -> Result<bool> {
        match self.given.remove(name) {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(value)) => Err(anyhow!("{name} takes no value, found {value:?}")),
        }
    }

    /// Takes a flag that must be there.
    pub fn required<T>(&mut self, name: &str) -> Result<T>
    where
        T: FromStr<Err: Display>,
    {
        self.optional(name)?
            .with_context(|| format!("{name} is missing"))
    }

    /// Takes a flag that may be there.
    pub fn optional<T>(&mut self, name: &str) -> Result<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        let Some(value) = self.given.remove(name) else {
            return Ok(None);
        };
        let value = value.with_context(|| format!("{name} needs a value"))?;
        value
            .parse()
            .map(Some)
            .map_err(|error| anyhow!("{name} {value}: {error}"))
    }

    /// Refuses what nobody took.
    pub fn finish(&self) -> Result<()> {
        match self.given.keys().next() {
            Some(name) => Err(anyhow!("unknown flag {name}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Flags {
        Flags::parse(line.split(' ').map(str::to_owned)).unwrap()
    }

    #[test]
    fn takes_values_and_switches() {
        let mut flags = flags("--send 12 --rst");
        assert_eq!(flags.required::<u64>("--send").unwrap(), 12);
        assert!(flags.switch("--rst").unwrap());
        assert_eq!(flags.optional::<u64>("--rate").unwrap(), None);
        flags.finish().unwrap();
    }

    #[test]
    fn refuses_what_is_wrong() {
        assert!(flags("--send x").required::<u64>("--send").is_err());
        assert!(flags("--send").required::<u64>("--send").is_err());
        assert!(flags("--send 1").required::<u64>("--receive").is_err());
        assert!(flags("--rst 1").switch("--rst").is_err());
        assert!(flags("--sned 1").finish().is_err());
        assert!(Flags::parse(["send".to_owned()]).is_err());
    }
}
