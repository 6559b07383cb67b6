//! How the watches stand.

use crate::model::UnixMs;

/// How the watch of one kind stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// The first list has not been read to its end.
    Starting,
    /// All that happened is known.
    Current,
    /// Nothing was heard since then, and it is being tried again.
    Behind {
        /// The last time that all was known; none: never.
        since: Option<UnixMs>,
        /// What stands in the way.
        why: String,
    },
    /// The API server refuses it to this account.
    Forbidden {
        /// What it said.
        why: String,
    },
    /// The API server does not have this kind.
    Absent,
}

/// A time of which changes may be missing, because nobody was there to hear of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrecorded {
    /// Up to here all is known.
    pub from: UnixMs,
    /// And from here on.
    pub to: UnixMs,
}
