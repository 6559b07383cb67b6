//! Calls that go on whatever becomes of the server: each is one connection with one request, and what came of it is told.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::json;

use super::args::Flags;
use super::protocol::write_request;
use crate::wait::pause;

/// Longest wait for a connection: on one machine it is there at once or never.
const CONNECT: Duration = Duration::from_millis(400);
/// Longest silence of a server.
const SILENCE: Duration = Duration::from_millis(1000);

/// Whom to call.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub to: SocketAddr,
    /// Bytes of each request.
    pub send: u64,
    /// Bytes of the wanted reply; the server may answer with as many as it likes.
    pub receive: u64,
    /// From one call's beginning to the next one's.
    pub every: Duration,
    /// For how long; none: until standard input ends.
    pub lasts: Option<Duration>,
    /// How often; none: until it is over.
    pub times: Option<u64>,
}

impl Plan {
    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            to: flags.required("--to")?,
            send: flags.required("--send")?,
            receive: flags.optional("--receive")?.unwrap_or(0),
            every: Duration::from_millis(flags.required("--every-ms")?),
            lasts: flags.optional("--for-ms")?.map(Duration::from_millis),
            times: flags.optional("--times")?,
        };
        flags.finish()?;
        Ok(plan)
    }
}

/// Calls until standard input ends, or for a time, or so often, and then waits for that. Prints a line for each call: `at` is when it was over, `received` is what the server's reply had up to its end. A call has `failed` if it
/// was never connected, and is `broken` if it was and did not come to its end: only then nobody knows what was sent and received.
pub fn run(plan: &Plan) -> Result<()> {
    static OVER: AtomicBool = AtomicBool::new(false);
    thread::spawn(|| {
        // An error is an end, too.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        OVER.store(true, Ordering::Relaxed);
    });
    let (began, mut calls) = (Instant::now(), 0);
    while !OVER.load(Ordering::Relaxed) {
        let start = Instant::now();
        // What has done its part stays, as a container that ends would be started again.
        let is_in_time = plan.lasts.is_none_or(|lasts| began.elapsed() < lasts);
        if is_in_time && plan.times.is_none_or(|times| calls < times) {
            calls += 1;
            let mut line = call(plan);
            line["at"] = now()?.into();
            println!("{line}");
        }
        pause(plan.every.saturating_sub(start.elapsed()));
    }
    Ok(())
}

/// Unix milliseconds.
fn now() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(now.as_millis())?)
}

fn call(plan: &Plan) -> serde_json::Value {
    let stream = match TcpStream::connect_timeout(&plan.to, CONNECT) {
        Ok(stream) => stream,
        Err(error) => return json!({ "failed": error.to_string() }),
    };
    match converse(stream, plan) {
        Ok(received) => json!({ "sent": plan.send, "received": received }),
        Err(error) => json!({ "broken": format!("{error:#}") }),
    }
}

fn converse(mut stream: TcpStream, plan: &Plan) -> Result<u64> {
    stream.set_read_timeout(Some(SILENCE))?;
    write_request(&mut stream, plan.send, plan.receive)?;
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream, &mut io::sink()).context("read to the reply's end")
}
