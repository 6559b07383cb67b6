//! The frontend: reads at a follower for each visit, and writes to the leader for every third.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{PATIENCE, ask};
use crate::load::args::Flags;

/// Visits for each that is written down.
const FOR_ONE_WRITE: u64 = 3;

/// What a frontend has done, as the lines of its log count up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Visits answered.
    pub visits: u64,
    /// Connections to the leader.
    pub leader: u64,
    /// Connections to followers.
    pub followers: u64,
}

impl Done {
    /// Adds up the lines of a log. An error if anything failed: then nobody knows what is true.
    pub fn of_log(log: &str) -> Result<Self> {
        let mut done = Self::default();
        for line in log.lines() {
            let line: Value =
                serde_json::from_str(line).with_context(|| format!("the log says {line:?}"))?;
            ensure!(line["error"].is_null(), "a visit failed: {line}");
            let count = |name: &str| line[name].as_u64().unwrap_or_default();
            done.visits += count("visits");
            done.leader += count("leader");
            done.followers += count("followers");
        }
        Ok(done)
    }
}

/// Where redis is.
struct Redis {
    leader: String,
    followers: String,
    visits: AtomicU64,
}

/// Answers until it is killed.
pub fn frontend(mut flags: Flags) -> Result<()> {
    let listen: SocketAddr = flags.required("--listen")?;
    let redis = Redis {
        leader: flags.required("--leader")?,
        followers: flags.required("--followers")?,
        visits: AtomicU64::new(0),
    };
    flags.finish()?;
    let listener = TcpListener::bind(listen).with_context(|| format!("listen at {listen}"))?;
    thread::scope(|scope| {
        for stream in listener.incoming() {
            let redis = &redis;
            scope.spawn(move || {
                if let Err(error) = stream
                    .map_err(Into::into)
                    .and_then(|one| redis.answer(&one))
                {
                    println!("{}", json!({ "error": format!("{error:#}") }));
                }
            });
        }
    });
    Ok(())
}

impl Redis {
    fn answer(&self, mut stream: &TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream).lines();
        let line = lines.next().context("no request")??;
        // The rest of its head, which would make a reset of our close.
        while lines
            .next()
            .transpose()?
            .is_some_and(|line| !line.is_empty())
        {}
        if line.starts_with("GET /visit ") {
            println!("{}", self.visit()?);
        }
        stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n")?;
        Ok(())
    }

    /// What was done for one visit.
    fn visit(&self) -> Result<Value> {
        let is_line = |answer: &[u8]| answer.ends_with(b"\r\n");
        let number = self.visits.fetch_add(1, Ordering::Relaxed);
        let mut writes = 0;
        if number.is_multiple_of(FOR_ONE_WRITE) {
            let answer = ask(&self.leader, "INCR visits\r\n", is_line)?;
            ensure!(answer.starts_with(b":"), "the leader says {answer:?}");
            writes = 1;
        }
        let answer = ask(&self.followers, "EXISTS visits\r\n", is_line)?;
        ensure!(answer.starts_with(b":"), "a follower says {answer:?}");
        Ok(json!({ "visits": 1, "leader": writes, "followers": 1 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_added_up_unless_something_failed() {
        let log = "{\"visits\":1,\"leader\":1,\"followers\":1}\n{\"visits\":1,\"leader\":0,\"followers\":1}\n";
        let done = Done {
            visits: 2,
            leader: 1,
            followers: 2,
        };
        assert_eq!(Done::of_log(log).unwrap(), done);
        assert!(Done::of_log("{\"error\":\"refused\"}").is_err());
        assert!(Done::of_log("thread panicked").is_err());
    }
}
