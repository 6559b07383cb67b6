//! Resume tokens: which version of which feed a reader has.

use std::fmt;

/// Which version of which feed a reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The feed's epoch.
    pub(super) epoch: u64,
    /// The version.
    pub(super) version: u64,
}

impl Token {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (epoch, version) = text.split_once('-')?;
        Some(Self {
            epoch: u64::from_str_radix(epoch, 16).ok()?,
            version: version.parse().ok()?,
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}-{}", self.epoch, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_nonsense_is_none() {
        let token = Token {
            epoch: 0xfeed_0042,
            version: 17,
        };
        assert_eq!(Token::parse(&token.to_string()), Some(token));
        for nonsense in [
            "",
            "-",
            "x-1",
            "1",
            "1-",
            "1-x",
            "1-2-3",
            "99999999999999999999-1",
        ] {
            assert_eq!(Token::parse(nonsense), None, "{nonsense:?}");
        }
    }
}
