//! Versions of Linux, as far as features depend on them.

use std::fmt;

use serde::{Serialize, Serializer};

/// For example 5.10. Shown and serialized as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u16, pub u16);

impl Release {
    /// That of the running kernel.
    pub(super) fn running() -> Option<Self> {
        let name = rustix::system::uname();
        Self::parse(&name.release().to_string_lossy())
    }

    /// The beginning of `uname -r`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut numbers = name.split(|c: char| !c.is_ascii_digit());
        Some(Self(
            numbers.next()?.parse().ok()?,
            numbers.next()?.parse().ok()?,
        ))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

impl Serialize for Release {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_has_one() {
        assert!(Release::running().is_some());
        let parsed = Release::parse("6.12.118+deb13-cloud-amd64");
        assert_eq!(parsed, Some(Release(6, 12)));
        assert_eq!(Release::parse("linux"), None);
    }

    #[test]
    fn a_release_is_ordered_by_number_and_shown_as_people_write_it() {
        assert!(Release(5, 9) < Release(5, 10) && Release(5, 19) < Release(6, 1));
        assert_eq!(serde_json::to_string(&Release(5, 10)).unwrap(), "\"5.10\"");
    }
}
