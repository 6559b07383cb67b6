//! Somebody's first connection, with its time.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::args::Flags;
use crate::wait::pause;

/// Longer than any test.
const STAY: Duration = Duration::from_secs(24 * 3600);

/// One first connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The client's end of it.
    pub from: SocketAddr,
    /// When it was established, nanoseconds by [`now_ns`].
    pub at_ns: u64,
}

impl Arrival {
    /// From the line that [`run`] prints.
    pub fn from_json(line: &str) -> Result<Self> {
        let value: Value =
            serde_json::from_str(line).with_context(|| format!("not JSON: {line:?}"))?;
        let from = value["from"].as_str().context("no address")?.parse()?;
        let at_ns = value["at_ns"].as_u64().context("no time")?;
        Ok(Self { from, at_ns })
    }
}

/// Connects once, prints when, and keeps the connection open until it is killed.
pub fn run(mut flags: Flags) -> Result<()> {
    let to: SocketAddr = flags.required("--to")?;
    flags.finish()?;
    let stream = TcpStream::connect(to).with_context(|| format!("connect to {to}"))?;
    let at_ns = now_ns()?;
    println!(
        "{}",
        json!({ "from": stream.local_addr()?.to_string(), "at_ns": at_ns })
    );
    pause(STAY);
    Ok(())
}

/// Now, by the clock that all processes of a machine share, whatever their namespaces.
pub fn now_ns() -> Result<u64> {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec)?, u64::try_from(now.tv_nsec)?);
    Ok(seconds * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let line = "{\"from\":\"10.0.0.1:4000\",\"at_ns\":7}";
        let arrival = Arrival {
            from: "10.0.0.1:4000".parse().unwrap(),
            at_ns: 7,
        };
        assert_eq!(Arrival::from_json(line).unwrap(), arrival);
        assert!(Arrival::from_json("{}").is_err());
    }

    #[test]
    fn the_clock_goes_on() {
        assert!(now_ns().unwrap() <= now_ns().unwrap());
    }
}
