//! What is done to one socket.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, ipproto, sockopt};

use crate::load::protocol::{piece, read_reply, write_request};

/// `MSG_FASTOPEN`, include/linux/socket.h: connect, and send in the SYN.
const FAST_OPEN: u32 = 0x2000_0000;

/// How long a connect may wait for its peer.
const CONNECT: Duration = Duration::from_secs(20);

/// What is special about a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct How {
    /// `SO_REUSEPORT`: others may have its port, too.
    pub(super) shared: bool,
    /// Of MPTCP, not of TCP.
    pub(super) mptcp: bool,
}

/// A socket that can have this address at either end.
pub(super) fn socket(address: SocketAddr, how: How) -> Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let protocol: Protocol = if how.mptcp {
        ipproto::MPTCP
    } else {
        ipproto::TCP
    };
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(protocol))
        .with_context(|| format!("make a socket of protocol {protocol:?}"))?;
    sockopt::set_socket_reuseport(&socket, how.shared)?;
    Ok(socket)
}

/// A socket that has a port.
pub(super) fn bound(at: SocketAddr, how: How) -> Result<OwnedFd> {
    let socket = socket(at, how)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &at)?;
    Ok(socket)
}

pub(super) fn listen(at: SocketAddr, how: How) -> Result<OwnedFd> {
    let socket = bound(at, how)?;
    rustix::net::listen(&socket, 1024)?;
    Ok(socket)
}

/// Sends a SYN and does not wait for the answer.
pub(super) fn start(socket: &TcpStream, to: SocketAddr) -> Result<()> {
    fcntl_setfl(socket, fcntl_getfl(socket)? | OFlags::NONBLOCK)?;
    match rustix::net::connect(socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until a connect that was started is done.
pub(super) fn established(socket: &TcpStream) -> Result<()> {
    let begin = Instant::now();
    let mut fds = [PollFd::new(socket, PollFlags::OUT)];
    let timeout = Timespec {
        tv_sec: i64::try_from(CONNECT.as_secs())?,
        tv_nsec: 0,
    };
    ensure!(
        poll(&mut fds, Some(&timeout))? == 1,
        "no answer within {:?}",
        begin.elapsed()
    );
    if let Err(error) = sockopt::socket_error(socket)? {
        bail!("connect: {error}");
    }
    fcntl_setfl(socket, fcntl_getfl(socket)? - OFlags::NONBLOCK)?;
    Ok(())
}

/// Connects by TCP Fast Open: the bytes are in the SYN. Does not wait for the answer.
pub(super) fn dial(socket: &OwnedFd, to: SocketAddr, bytes: u64) -> Result<()> {
    fcntl_setfl(socket, fcntl_getfl(socket)? | OFlags::NONBLOCK)?;
    let flags = SendFlags::from_bits_retain(FAST_OPEN);
    let sent = rustix::net::sendto(socket, piece(bytes), flags, &to)?;
    ensure!(sent as u64 == bytes, "the SYN took {sent} of {bytes} bytes");
    Ok(())
}

pub(super) fn send(mut socket: &TcpStream, bytes: u64) -> Result<()> {
    let mut left = bytes;
    while left > 0 {
        let next = piece(left);
        std::io::Write::write_all(&mut socket, next)?;
        left -= next.len() as u64;
    }
    Ok(())
}

pub(super) fn receive(mut socket: &TcpStream, bytes: u64) -> Result<()> {
    read_reply(&mut socket, bytes)
}

/// One request to a server.
pub(super) fn ask(mut socket: &TcpStream, send: u64, receive: u64) -> Result<()> {
    write_request(&mut socket, send, receive)?;
    read_reply(&mut socket, receive)
}

/// Expects that the other end has ended, and sent nothing more.
pub(super) fn receive_end(mut socket: &TcpStream) -> Result<()> {
    let got = socket.read(&mut [0; 16])?;
    ensure!(got == 0, "there are {got} bytes more");
    Ok(())
}
