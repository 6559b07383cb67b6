//! Which way from the focus.

/// Which way edges are followed from the focus. Not "upstream" and "downstream": proxies and tracing mean opposite things by these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Any way.
    #[default]
    Both,
    /// From servers to who calls them.
    Inbound,
    /// From clients to whom they call.
    Outbound,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Both, Self::Inbound, Self::Outbound];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}
