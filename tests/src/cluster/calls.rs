//! What `insight-load call` in a pod did, as it tells it itself.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Namespace;
use crate::load::tally::Tally;
use crate::process::Process;
use crate::wait::{PATIENCE, eventually, pause};

/// Longest wait for a call's line: more than a call takes.
const LINE: Duration = Duration::from_secs(5);
const MINUTE: u64 = 60_000;

/// Calls as they go on.
pub struct Calls {
    process: Process,
    ended: Vec<Call>,
}

/// One call.
#[derive(Clone, Copy, Debug)]
struct Call {
    /// When it was over, Unix milliseconds.
    at: u64,
    came: Came,
}

#[derive(Clone, Copy, Debug)]
enum Came {
    /// An answer of so many bytes.
    Answer(u64),
    Failure,
    Break,
}

/// Calls that were counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// Those that were answered, by the bytes of their answers.
    pub by_reply: BTreeMap<u64, u64>,
    /// Those that were not connected.
    pub failed: u64,
    /// Those that were connected and did not come to their end.
    pub broken: u64,
}

impl Booked {
    /// Those with an answer of so many bytes.
    pub fn with_reply(&self, bytes: u64) -> u64 {
        self.by_reply.get(&bytes).copied().unwrap_or(0)
    }
}

impl Calls {
    /// Of a process that is running.
    pub fn of(process: Process) -> Self {
        Self {
            process,
            ended: Vec::new(),
        }
    }

    /// Ends them, and waits for the last one.
    pub fn end(&mut self) -> Result<()> {
        self.process.close_stdin();
        while let Ok(line) = self.process.line(LINE) {
            self.ended.push(Call::parse(&line)?);
        }
        self.process.finish(LINE)
    }

    /// Those that were over between two moments, Unix milliseconds, once [`Self::end`] was called.
    pub fn between(&self, from: u64, to: u64) -> Booked {
        let mut booked = Booked::default();
        for call in self
            .ended
            .iter()
            .filter(|call| (from..to).contains(&call.at))
        {
            match call.came {
                Came::Answer(bytes) => *booked.by_reply.entry(bytes).or_default() += 1,
                Came::Failure => booked.failed += 1,
                Came::Break => booked.broken += 1,
            }
        }
        booked
    }

    /// All of them.
    pub fn all(&self) -> Booked {
        self.between(0, u64::MAX)
    }
}

impl Call {
    fn parse(line: &str) -> Result<Self> {
        let line: Value =
            serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        let came = match (line["received"].as_u64(), line.get("failed")) {
            (Some(bytes), _) => Came::Answer(bytes),
            (None, Some(_)) => Came::Failure,
            (None, None) => Came::Break,
        };
        let at = line["at"].as_u64().context("no time")?;
        Ok(Self { at, came })
    }
}

/// What a container of a pod did by its own words, once it made so many connections; all of them must have ended well.
pub fn told(pods: &Namespace, pod: &str, container: &str, connections: u64) -> Result<Tally> {
    let what = format!("{connections} connections of {container}");
    let tally = eventually(PATIENCE, &what, || {
        let log = pods.kubectl(&["logs", pod, "-c", container])?;
        let tally = tally_of(&log)?;
        ensure!(tally.connections >= connections, "only {tally:?}");
        Ok(tally)
    })?;
    ensure!(tally.connections == connections, "{tally:?}");
    Ok(tally)
}

/// The words of `insight-load call`, or of `client`.
fn tally_of(log: &str) -> Result<Tally> {
    let mut sum = Tally::default();
    for line in log.lines() {
        if let Ok(tally) = Tally::from_json(line) {
            sum += tally;
            continue;
        }
        let value: Value = serde_json::from_str(line).with_context(|| format!("JSON: {line}"))?;
        let bytes = |name: &str| value[name].as_u64().with_context(|| line.to_owned());
        sum += Tally {
            connections: 1,
            failed: 0,
            requests: 1,
            bytes_sent: bytes("sent")?,
            bytes_received: bytes("received")?,
        };
    }
    Ok(sum)
}

/// Now, Unix milliseconds.
pub fn clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(0))
}

/// When the minute of this moment began: a minute's counts are kept together.
pub fn minute_of(at: u64) -> u64 {
    at - at % MINUTE
}

/// How long it is until so long after the end of this minute.
pub fn until_next_minute(and: Duration) -> Duration {
    let now = clock();
    Duration::from_millis(minute_of(now) + MINUTE - now) + and
}

/// Waits until so long after the end of this minute.
pub fn pause_into_next_minute(and: Duration) {
    pause(until_next_minute(and));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_added_up_unless_a_call_went_wrong() {
        let call = r#"{"at": 1, "sent": 16, "received": 5}"#;
        let tally = tally_of(&format!("{call}\n{call}\n")).unwrap();
        assert_eq!(
            [tally.connections, tally.bytes_sent, tally.bytes_received],
            [2, 32, 10]
        );
        assert_eq!(tally_of(&tally.to_json().to_string()).unwrap(), tally);
        assert!(tally_of(&format!("{call}\n{{\"failed\": \"refused\"}}")).is_err());
    }

    #[test]
    fn what_came_of_a_call_is_read() {
        let came = |line: &str| Call::parse(line).unwrap().came;
        let answer = came(r#"{"at": 1, "sent": 16, "received": 5}"#);
        assert!(matches!(answer, Came::Answer(5)));
        assert!(matches!(
            came(r#"{"at": 1, "failed": "refused"}"#),
            Came::Failure
        ));
        assert!(matches!(
            came(r#"{"at": 1, "broken": "reset"}"#),
            Came::Break
        ));
        assert!(Call::parse("{}").is_err());
        assert_eq!(minute_of(121_234), 120_000);
    }
}
