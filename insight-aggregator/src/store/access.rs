//! What opening a store over the network needs beside its URL.

use std::fmt;
use std::path::PathBuf;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for who must have it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Who we are to the store's servers, and how the way there is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The user, with its password.
    pub user: Option<(String, Secret)>,
    /// File with the certificates of those who may vouch for servers: TLS is used if it is given.
    pub ca: Option<PathBuf>,
    /// File with our own certificate.
    pub cert: Option<PathBuf>,
    /// File with its key.
    pub key: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let access = Access {
            user: Some(("me".to_owned(), Secret::new("hush"))),
            ..Access::default()
        };
        for shown in [format!("{access:?}"), format!("{access:#?}")] {
            assert!(shown.contains("me") && !shown.contains("hush"), "{shown}");
        }
    }
}
