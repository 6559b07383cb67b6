//! What a run truly did.

use std::ops::{Add, AddAssign};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Counts of finished work, from the client's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that were established.
    pub connections: u64,
    /// Connects that failed as expected.
    pub failed: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// Payload bytes written.
    pub bytes_sent: u64,
    /// Payload bytes read.
    pub bytes_received: u64,
}

impl Tally {
    /// As one line of JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "connections": self.connections,
            "failed": self.failed,
            "requests": self.requests,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
        })
    }

    /// From the line that [`Tally::to_json`] makes; further fields are fine.
    pub fn from_json(line: &str) -> Result<Self> {
        let value: Value =
            serde_json::from_str(line).with_context(|| format!("not JSON: {line:?}"))?;
        let count = |name: &str| {
            value[name]
                .as_u64()
                .with_context(|| format!("no count {name:?} in {line:?}"))
        };
        Ok(Self {
            connections: count("connections")?,
            failed: count("failed")?,
            requests: count("requests")?,
            bytes_sent: count("bytes_sent")?,
            bytes_received: count("bytes_received")?,
        })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.failed += other.failed;
        self.requests += other.requests;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_json() {
        let tally = Tally {
            connections: 1,
            failed: 2,
            requests: 3,
            bytes_sent: 4,
            bytes_received: 5,
        };
        assert_eq!(
            Tally::from_json(&tally.to_json().to_string()).unwrap(),
            tally
        );
        assert!(Tally::from_json("{}").is_err());
    }
}
