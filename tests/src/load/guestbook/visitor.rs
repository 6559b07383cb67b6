//! A visitor: calls the frontend so often, then stays.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::ask;
use crate::load::args::Flags;
use crate::load::tally::Tally;
use crate::wait::pause;

const REQUEST: &str = "GET /visit HTTP/1.0\r\n\r\n";
/// Longer than any test.
const STAY: Duration = Duration::from_secs(24 * 3600);

/// Visits, prints what it did, and stays until it is killed.
pub fn visitor(mut flags: Flags) -> Result<()> {
    let to: String = flags.required("--to")?;
    let visits: u64 = flags.required("--visits")?;
    let rate: f64 = flags.required("--rate")?;
    flags.finish()?;
    let (start, mut tally) = (Instant::now(), Tally::default());
    for number in 0..visits {
        let due = Duration::from_secs_f64(number as f64 / rate);
        pause(due.saturating_sub(start.elapsed()));
        let answer = ask(&to, REQUEST, |_| false).with_context(|| format!("visit {number}"))?;
        ensure!(
            answer.starts_with(b"HTTP/1.0 200 "),
            "no guestbook: {answer:?}"
        );
        tally += Tally {
            connections: 1,
            failed: 0,
            requests: 1,
            bytes_sent: REQUEST.len() as u64,
            bytes_received: answer.len() as u64,
        };
    }
    println!("{}", tally.to_json());
    pause(STAY);
    Ok(())
}
