//! Workers: the parts in user space of what competes with Insight, each a process of this program.

use std::io;
use std::ops::Range;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Counted, EVERY};
use crate::process::Process;

/// Longest wait for an answer of a worker.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a worker says when it counts.
const READY: &str = "ready";

/// The worker's side: reads each [`EVERY`] if it is to poll, and once more when told to finish. The server ports that its answer
/// is to be of.
pub(in crate::bench) fn read_regularly(
    poll: bool,
    mut read: impl FnMut() -> Result<()>,
) -> Result<Range<u16>> {
    println!("{READY}");
    let (send, orders) = channel();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    let mut due = Instant::now() + EVERY;
    loop {
        match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if poll {
                    read()?;
                }
                return ports(&line);
            }
            Err(RecvTimeoutError::Timeout) => {
                if poll {
                    read()?;
                }
                // A read that takes longer than the time between two is not made up for.
                due = (due + EVERY).max(Instant::now());
            }
            Err(RecvTimeoutError::Disconnected) => bail!("nobody listens any more"),
        }
    }
}

fn ports(order: &str) -> Result<Range<u16>> {
    let words: Vec<&str> = order.split(' ').collect();
    match words.as_slice() {
        ["finish", first, end] => Ok(first.parse()?..end.parse()?),
        _ => bail!("expected `finish FIRST END`, found {order:?}"),
    }
}

/// The worker's last word.
pub(in crate::bench) fn answer(counted: Counted) {
    println!("{} {} {}", counted.connections, counted.open, counted.bytes);
}

fn parse(answer: &str) -> Option<Counted> {
    let mut numbers = answer.split(' ').map(|word| word.parse().ok());
    Some(Counted {
        connections: numbers.next()??,
        open: numbers.next()??,
        bytes: numbers.next()??,
    })
}

/// A worker that has been started: waits until it counts.
pub(in crate::bench) fn started(mut process: Process) -> Result<Process> {
    let line = process.line(PATIENCE)?;
    anyhow::ensure!(line == READY, "a worker says {line:?}");
    Ok(process)
}

/// Lets a worker read once more and end: what it has counted of clients of these ports.
pub(super) fn finish(mut process: Process, servers: &Range<u16>) -> Result<Counted> {
    process.tell(&format!("finish {} {}", servers.start, servers.end))?;
    let line = process.line(PATIENCE)?;
    process.finish(PATIENCE)?;
    parse(&line).with_context(|| format!("a worker says {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_answers_are_read() {
        assert_eq!(ports("finish 2000 2004").unwrap(), 2_000..2_004);
        assert!(ports("finish 2000").is_err() && ports("").is_err());
        let counted = parse("5 2 900").unwrap();
        assert_eq!(
            (counted.connections, counted.open, counted.bytes),
            (5, 2, 900)
        );
        assert!(parse("5 2").is_none() && parse("5 x 1").is_none());
    }
}
