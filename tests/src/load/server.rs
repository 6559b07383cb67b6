//! The server: one thread, any number of connections.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context, Result};
use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketType};
use serde_json::json;

use super::args::Flags;

mod connection;

use connection::{Connection, Wants};

/// What to serve.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Length of the accept queue; 0 is one that `listen(fd, 0)` makes.
    pub backlog: Option<i32>,
    /// Whether others may listen there, too (`SO_REUSEPORT`).
    pub share_port: bool,
    /// Bytes of every reply, whatever is asked for.
    pub reply: Option<u64>,
    /// Whether each connection's end is told.
    pub tell: bool,
}

impl Plan {
    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            listen: flags.required("--listen")?,
            backlog: flags.optional("--backlog")?,
            share_port: flags.switch("--share-port")?,
            reply: flags.optional("--reply")?,
            tell: flags.switch("--tell")?,
        };
        flags.finish()?;
        Ok(plan)
    }
}

/// The listener's place in the event loop; connections count up from 1.
const LISTENER: u64 = 0;

/// Length of the accept queue of a port that is shared.
const BACKLOG: i32 = 1024;

/// Serves for ever.
pub fn run(plan: &Plan) -> Result<()> {
    let listener = listen(plan).with_context(|| format!("listen on {}", plan.listen))?;
    if let Some(backlog) = plan.backlog {
        // A second listen(2) sets the length anew.
        rustix::net::listen(&listener, backlog).context("set the accept queue's length")?;
    }
    listener.set_nonblocking(true)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &poll,
        &listener,
        epoll::EventData::new_u64(LISTENER),
        epoll::EventFlags::IN,
    )?;
    println!(
        "{}",
        json!({ "mode": "server", "listening": listener.local_addr()? })
    );
    let mut connections = HashMap::new();
    let mut next = LISTENER + 1;
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for events"),
        }
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                while let Some(stream) = accept(&listener)? {
                    stream.set_nonblocking(true)?;
                    epoll::add(
                        &poll,
                        &stream,
                        epoll::EventData::new_u64(next),
                        epoll::EventFlags::IN,
                    )?;
                    connections.insert(next, Connection::new(stream, plan.reply));
                    next += 1;
                }
                continue;
            }
            let Some(connection) = connections.get_mut(&token) else {
                continue;
            };
            let flags = match connection.advance() {
                Wants::Read => epoll::EventFlags::IN,
                Wants::Write => epoll::EventFlags::OUT,
                Wants::Close => {
                    if plan.tell {
                        let (received, sent) = connection.moved();
                        println!("{}", json!({ "received": received, "sent": sent }));
                    }
                    connections.remove(&token);
                    continue;
                }
            };
            epoll::modify(
                &poll,
                connection.stream(),
                epoll::EventData::new_u64(token),
                flags,
            )?;
        }
    }
}

fn listen(plan: &Plan) -> Result<TcpListener> {
    if !plan.share_port {
        return Ok(TcpListener::bind(plan.listen)?);
    }
    let family = match plan.listen {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::net::sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &plan.listen)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

fn accept(listener: &TcpListener) -> Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((stream, _)) => Ok(Some(stream)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).context("accept a connection"),
    }
}
