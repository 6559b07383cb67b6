//! Listens on many ports and sends back what it gets.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Context, Result};
use rustix::event::epoll;

use crate::load::args::Flags;

/// Serves until it is killed.
pub(super) fn run(flags: &mut Flags) -> Result<()> {
    let ports = super::ports(flags)?;
    flags.finish()?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut listeners = HashMap::new();
    for port in ports {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
            .with_context(|| format!("listen on port {port}"))?;
        listener.set_nonblocking(true)?;
        watch(&poll, &listener, u64::from(port))?;
        listeners.insert(u64::from(port), listener);
    }
    println!("listening");
    let mut connections: HashMap<u64, TcpStream> = HashMap::new();
    // Ports are below.
    let mut next = 1 << 16;
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for events"),
        }
        for event in &events {
            let token = event.data.u64();
            if let Some(listener) = listeners.get(&token) {
                // One a turn: the others are reported again.
                let (stream, _) = listener.accept().context("accept a connection")?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                watch(&poll, &stream, next)?;
                connections.insert(next, stream);
                next += 1;
            } else if let Some(stream) = connections.get_mut(&token)
                && !echo(stream)
            {
                connections.remove(&token);
            }
        }
    }
}

fn watch(poll: &impl std::os::fd::AsFd, what: &impl std::os::fd::AsFd, token: u64) -> Result<()> {
    epoll::add(
        poll,
        what,
        epoll::EventData::new_u64(token),
        epoll::EventFlags::IN,
    )
    .context("watch a socket")
}

/// Sends back what is there; whether the connection lives. The dialer waits for each answer, so there is always room to send.
fn echo(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => false,
        Ok(length) => stream.write_all(&buffer[..length]).is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}
