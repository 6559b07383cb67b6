//! Sockets that do what lines of standard input say, one after the other: for what no plain client or server does.

mod passing;
mod script;
mod sockets;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use script::{Act, parse};

/// What `insight-load puppet` has open.
#[derive(Default)]
struct Puppet {
    /// By name; any stream socket, also one that listens or is not connected.
    sockets: BTreeMap<String, TcpStream>,
    /// Where descriptors arrive.
    inbox: Option<OwnedFd>,
    children: Vec<Pid>,
}

/// Answers each line with one: `ok`, or `error: …`.
pub fn run() -> Result<()> {
    let mut puppet = Puppet::default();
    for line in io::stdin().lines() {
        match puppet.script(&line?) {
            Ok(()) => println!("ok"),
            Err(error) => println!("error: {error:#}"),
        }
    }
    puppet.reap()
}

impl Puppet {
    /// Runs the commands of a line, which `;` separates. A `fork` leaves those that follow it to a child.
    fn script(&mut self, line: &str) -> Result<()> {
        let mut commands = line.split(';').map(str::trim);
        while let Some(command) = commands.next() {
            let act = parse(command)?;
            if let Act::Fork = act {
                let rest: Vec<&str> = commands.collect();
                return self.fork(&rest.join(";"));
            }
            self.act(act).with_context(|| command.to_owned())?;
        }
        Ok(())
    }

    fn act(&mut self, act: Act) -> Result<()> {
        match act {
            Act::Listen { name, at, how } => self.add(name, sockets::listen(at, how)?),
            Act::Accept { listener, name } => {
                let accepted = rustix::net::accept(self.socket(&listener)?)?;
                self.add(name, accepted);
            }
            Act::Bind { name, at, how } => self.add(name, sockets::bound(at, how)?),
            Act::Connect { name, to, how } => {
                self.prepare(&name, to, how)?;
                rustix::net::connect(self.socket(&name)?, &to)?;
            }
            Act::Start { name, to } => {
                self.prepare(&name, to, sockets::How::default())?;
                sockets::start(self.socket(&name)?, to)?;
            }
            Act::Established { name } => sockets::established(self.socket(&name)?)?,
            Act::Dial { name, to, bytes } => {
                let socket = sockets::socket(to, sockets::How::default())?;
                sockets::dial(&socket, to, bytes)?;
                self.add(name, socket);
            }
            Act::Send { name, bytes } => sockets::send(self.socket(&name)?, bytes)?,
            Act::Receive { name, bytes } => sockets::receive(self.socket(&name)?, bytes)?,
            Act::ReceiveEnd { name } => sockets::receive_end(self.socket(&name)?)?,
            Act::Ask {
                name,
                send,
                receive,
            } => sockets::ask(self.socket(&name)?, send, receive)?,
            Act::End { name } => {
                rustix::net::shutdown(self.socket(&name)?, rustix::net::Shutdown::Write)?;
            }
            Act::Close { name } => {
                self.sockets
                    .remove(&name)
                    .with_context(|| format!("no socket {name}"))?;
            }
            Act::Inbox { path } => self.inbox = Some(passing::inbox(&path)?),
            Act::Give { name, path } => passing::give(self.socket(&name)?, &path)?,
            Act::Take { name } => {
                let inbox = self.inbox.as_ref().context("no inbox")?;
                self.add(name, passing::take(inbox)?);
            }
            Act::Fork => bail!("a fork is a line of its own"),
            Act::Reap => self.reap()?,
        }
        Ok(())
    }

    fn add(&mut self, name: String, socket: OwnedFd) {
        self.sockets.insert(name, socket.into());
    }

    /// Makes the socket unless there is one of that name, which was bound.
    fn prepare(&mut self, name: &str, to: SocketAddr, how: sockets::How) -> Result<()> {
        if !self.sockets.contains_key(name) {
            self.add(name.to_owned(), sockets::socket(to, how)?);
        }
        Ok(())
    }

    fn socket(&self, name: &str) -> Result<&TcpStream> {
        self.sockets
            .get(name)
            .with_context(|| format!("no socket {name}"))
    }

    /// A child with the same sockets runs the commands, then keeps what is open until it is reaped. Answers when the commands are done.
    fn fork(&mut self, commands: &str) -> Result<()> {
        let (done, tell) = rustix::pipe::pipe()?;
        // SAFETY: this process has one thread, so the child's memory is whole.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()).context("fork"),
            0 => {
                // An error means that the parent is gone.
                let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
                let outcome = match self.script(commands) {
                    Ok(()) => String::new(),
                    Err(error) => format!("{error:#}"),
                };
                let _ = rustix::io::write(&tell, outcome.as_bytes());
                drop((tell, done));
                loop {
                    // SAFETY: pause(2) takes nothing and touches no memory.
                    unsafe { libc::pause() };
                }
            }
            child => {
                drop(tell);
                self.children.extend(Pid::from_raw(child));
                let mut error = String::new();
                io::Read::read_to_string(&mut std::fs::File::from(done), &mut error)?;
                if error.is_empty() {
                    return Ok(());
                }
                bail!("the child: {error}")
            }
        }
    }

    fn reap(&mut self) -> Result<()> {
        for child in self.children.drain(..) {
            kill_process(child, Signal::KILL)?;
            waitpid(Some(child), WaitOptions::empty())?;
        }
        Ok(())
    }
}
