//! Descriptors that go from one process to another (`SCM_RIGHTS`, unix(7)).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketType, bind, recvmsg, sendmsg_addr,
    socket,
};

/// Room for one descriptor.
const ROOM: usize = rustix::cmsg_space!(ScmRights(1));

fn datagrams() -> Result<OwnedFd> {
    Ok(socket(AddressFamily::UNIX, SocketType::DGRAM, None)?)
}

/// Where descriptors arrive.
pub(super) fn inbox(path: &Path) -> Result<OwnedFd> {
    let inbox = datagrams()?;
    bind(&inbox, &SocketAddrUnix::new(path)?)?;
    Ok(inbox)
}

/// Sends a copy of the descriptor to an inbox.
pub(super) fn give(given: &TcpStream, to: &Path) -> Result<()> {
    let fds = [given.as_fd()];
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut ancillary = SendAncillaryBuffer::new(&mut room);
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    let to = SocketAddrUnix::new(to)?;
    let data = [IoSlice::new(b"!")];
    sendmsg_addr(datagrams()?, &to, &data, &mut ancillary, SendFlags::empty())?;
    Ok(())
}

/// Waits for a descriptor.
pub(super) fn take(inbox: &OwnedFd) -> Result<OwnedFd> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut ancillary = RecvAncillaryBuffer::new(&mut room);
    let mut byte = [0];
    recvmsg(
        inbox,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    ancillary
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        })
        .context("the message has no descriptor")
}
