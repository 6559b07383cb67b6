//! The largest edges.

/// How many edges are told one by one, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Top {
    /// How many.
    pub edges: u32,
    /// Which are the largest.
    pub by: TopBy,
}

/// What makes an edge large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TopBy {
    /// Payload bytes, both ways together.
    #[default]
    Bytes,
    /// Connections that were established.
    Connections,
    /// Connects that failed.
    Failures,
}

impl TopBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bytes, Self::Connections, Self::Failures];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Connections => "connections",
            Self::Failures => "failures",
        }
    }
}
