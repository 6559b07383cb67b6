//! The client: a known number of connections with known payloads.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::args::Flags;
use super::protocol::{HEADER, read_reply, write_request};
use super::tally::Tally;
use crate::wait::pause;

/// How the client ends a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// By close(2).
    #[default]
    Close,
    /// By a reset, once all replies are there.
    Reset,
    /// By ending its own direction before it reads the last reply.
    HalfClose,
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub to: SocketAddr,
    /// How many connections.
    pub connections: u64,
    /// Bytes of each request.
    pub send: u64,
    /// Bytes of each reply.
    pub receive: u64,
    /// Requests on each connection.
    pub requests: u64,
    /// Connections at the same time.
    pub concurrency: NonZeroUsize,
    /// Connections per second; 0 for as many as go.
    pub rate: f64,
    /// How connections end.
    pub ending: Ending,
}

impl Plan {
    /// One request on each connection, one connection after the other.
    pub fn new(to: SocketAddr, connections: u64, send: u64, receive: u64) -> Self {
        Self {
            to,
            connections,
            send,
            receive,
            requests: 1,
            concurrency: NonZeroUsize::MIN,
            rate: 0.0,
            ending: Ending::Close,
        }
    }

    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let (reset, half) = (flags.switch("--rst")?, flags.switch("--half-close")?);
        ensure!(
            !(reset && half),
            "--rst and --half-close exclude each other"
        );
        let plan = Self {
            to: flags.required("--to")?,
            connections: flags.required("--connections")?,
            send: flags.required("--send")?,
            receive: flags.required("--receive")?,
            requests: flags.optional("--requests")?.unwrap_or(1),
            concurrency: flags
                .optional("--concurrency")?
                .unwrap_or(NonZeroUsize::MIN),
            rate: flags.optional("--rate")?.unwrap_or(0.0),
            ending: match (reset, half) {
                (true, _) => Ending::Reset,
                (_, true) => Ending::HalfClose,
                _ => Ending::Close,
            },
        };
        ensure!(
            plan.send >= HEADER as u64,
            "--send has {HEADER} bytes at least"
        );
        ensure!(
            plan.ending != Ending::Reset || plan.receive > 0,
            "--rst needs --receive: a reset overtakes what is not confirmed by a reply"
        );
        flags.finish()?;
        Ok(plan)
    }

    /// As a command line for `insight-load`.
    pub fn to_args(&self) -> Vec<String> {
        let mut args = format!(
            "client --to {} --connections {} --send {} --receive {} --requests {} --concurrency {} --rate {}",
            self.to,
            self.connections,
            self.send,
            self.receive,
            self.requests,
            self.concurrency,
            self.rate
        );
        args.push_str(match self.ending {
            Ending::Close => "",
            Ending::Reset => " --rst",
            Ending::HalfClose => " --half-close",
        });
        args.split(' ').map(str::to_owned).collect()
    }
}

/// Runs the plan and prints what was done and how long it took.
pub fn main(plan: &Plan) -> Result<()> {
    let start = Instant::now();
    let tally = run(plan)?;
    let mut line = tally.to_json();
    line["mode"] = "client".into();
    line["elapsed_ms"] = u64::try_from(start.elapsed().as_millis())?.into();
    println!("{line}");
    Ok(())
}

/// Runs the plan. Any connection that fails is an error: then the truth is not known.
pub fn run(plan: &Plan) -> Result<Tally> {
    let next = AtomicU64::new(0);
    let start = Instant::now();
    let work = || -> Result<Tally> {
        let mut tally = Tally::default();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= plan.connections {
                return Ok(tally);
            }
            if plan.rate > 0.0 {
                let due = Duration::from_secs_f64(turn as f64 / plan.rate);
                pause(due.saturating_sub(start.elapsed()));
            }
            tally += connect_once(plan, None).with_context(|| format!("connection {turn}"))?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.concurrency.get())
            .map(|_| scope.spawn(work))
            .collect();
        workers
            .into_iter()
            .try_fold(Tally::default(), |sum, worker| {
                let tally = worker.join().map_err(|_| anyhow!("a worker panicked"))??;
                Ok(sum + tally)
            })
    })
}

/// One connection of the plan, from this address if there is one.
pub fn connect_once(plan: &Plan, from: Option<Ipv4Addr>) -> Result<Tally> {
    let mut stream = match from {
        Some(from) => connect_from(from, plan.to),
        None => TcpStream::connect(plan.to),
    }
    .with_context(|| format!("connect to {}", plan.to))?;
    stream.set_nodelay(true)?;
    for request in 1..=plan.requests {
        write_request(&mut stream, plan.send, plan.receive)?;
        if plan.ending == Ending::HalfClose && request == plan.requests {
            stream.shutdown(Shutdown::Write)?;
        }
        read_reply(&mut stream, plan.receive)?;
    }
    if plan.ending == Ending::Reset {
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    }
    Ok(Tally {
        connections: 1,
        failed: 0,
        requests: plan.requests,
        bytes_sent: plan.requests * plan.send,
        bytes_received: plan.requests * plan.receive,
    })
}

fn connect_from(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new(from, 0))?;
    connect(&socket, &to)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_the_command_line() {
        let mut plan = Plan::new(([127, 0, 0, 1], 80).into(), 3, 16, 5);
        plan.ending = Ending::Reset;
        plan.rate = 2.5;
        let args = plan.to_args();
        let again = Plan::from_flags(&mut Flags::parse(args.into_iter().skip(1)).unwrap()).unwrap();
        assert_eq!(format!("{plan:?}"), format!("{again:?}"));
    }
}
