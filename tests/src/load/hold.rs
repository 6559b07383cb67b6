//! Connections that stay open, and speak when told.

use std::io;
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail};

use super::args::Flags;
use super::protocol::{read_reply, write_request};
use super::tally::Tally;

/// What to hold.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub to: SocketAddr,
    /// How many connections.
    pub connections: u64,
    /// How many child processes share the sockets.
    pub forks: u32,
}

impl Plan {
    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            to: flags.required("--to")?,
            connections: flags.required("--connections")?,
            forks: flags.optional("--fork")?.unwrap_or(0),
        };
        flags.finish()?;
        Ok(plan)
    }
}

/// Opens the connections and prints a line; answers each line of standard input with a line; prints one more at the end.
pub fn run(plan: &Plan) -> Result<()> {
    let mut streams = Vec::new();
    let mut tally = Tally::default();
    for _ in 0..plan.connections {
        let stream =
            TcpStream::connect(plan.to).with_context(|| format!("connect to {}", plan.to))?;
        stream.set_nodelay(true)?;
        streams.push(stream);
        tally.connections += 1;
    }
    let children = share(plan.forks)?;
    println!("{}", tally.to_json());
    for line in io::stdin().lines() {
        let (send, receive) = parse(&line?)?;
        for stream in &mut streams {
            write_request(stream, send, receive)?;
            read_reply(stream, receive)?;
            tally.requests += 1;
            tally.bytes_sent += send;
            tally.bytes_received += receive;
        }
        println!("{}", tally.to_json());
    }
    // The children close last: until then this process's close is one of several.
    drop(streams);
    for child in children {
        rustix::process::kill_process(child, rustix::process::Signal::KILL)?;
        rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty())?;
    }
    println!("{}", tally.to_json());
    Ok(())
}

fn parse(line: &str) -> Result<(u64, u64)> {
    let mut numbers = line.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(send)), Some(Ok(receive)), None) => Ok((send, receive)),
        _ => bail!("expected `SEND RECEIVE`, found {line:?}"),
    }
}

/// Children that have every socket open and do nothing until they are killed.
fn share(forks: u32) -> Result<Vec<rustix::process::Pid>> {
    let mut children = Vec::new();
    for _ in 0..forks {
        // SAFETY: this process has one thread, so the child's memory is whole; the child makes system calls only.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => return Err(io::Error::last_os_error()).context("fork"),
            0 => {
                // An error means that the parent is already gone; then nobody waits for this process.
                let _ = rustix::process::set_parent_process_death_signal(Some(
                    rustix::process::Signal::KILL,
                ));
                loop {
                    // SAFETY: pause(2) takes nothing and touches no memory.
                    unsafe { libc::pause() };
                }
            }
            child => children.extend(rustix::process::Pid::from_raw(child)),
        }
    }
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_line() {
        assert_eq!(parse("16 0").unwrap(), (16, 0));
        assert!(parse("16").is_err() && parse("16 x").is_err() && parse("1 2 3").is_err());
    }
}
