//! Time as the ledger counts it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMs = i64;

/// Minutes since 1970-01-01 UTC: the ledger's resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Minute(pub i64);

impl Minute {
    /// The minute that holds this moment.
    pub fn of(at: UnixMs) -> Self {
        Self(at.div_euclid(60_000))
    }

    /// Its first millisecond.
    pub fn start(self) -> UnixMs {
        self.0 * 60_000
    }

    /// The first millisecond after it.
    pub fn end(self) -> UnixMs {
        (self.0 + 1) * 60_000
    }
}

/// Now.
pub fn now_ms() -> UnixMs {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}
