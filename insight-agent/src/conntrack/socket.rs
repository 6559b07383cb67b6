//! A netlink socket of one network namespace.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto,
    socket_with,
};

use super::message::{Answer, Tuple, answer, request};
use crate::kernel::holds;

/// An answer comes before the call to send returns; this is for a kernel that does not think so.
const PATIENCE: Duration = Duration::from_millis(100);

/// One message has some 300 bytes.
const BUFFER: usize = 4_096;

/// Answers that are not to the question, before it is given up.
const STRAYS: usize = 4;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refused {
    /// There is no such connection here.
    NotTracked,
    /// Something is wrong.
    Failed(Error),
}

/// Error: what is missing.
pub(super) fn is_allowed() -> Result<()> {
    if !holds("CAP_NET_ADMIN") {
        bail!("missing CAP_NET_ADMIN: connection tracking answers nobody else");
    }
    Ok(())
}

/// Asks in one network namespace: the one in which it was opened.
pub(super) struct Asker {
    socket: OwnedFd,
    sequence: u32,
}

impl Asker {
    /// In this thread's network namespace. Error: CAP_NET_ADMIN is missing, or the kernel has no such sockets.
    pub(super) fn open() -> Result<Self> {
        is_allowed()?;
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )
        .context("open a socket of NETLINK_NETFILTER")?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))
            .context("set the time to wait for connection tracking")?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// How the server of a connection replies, given how its client sends.
    pub(super) fn ask(&mut self, tuple: &Tuple) -> Result<Tuple, Refused> {
        self.sequence = self.sequence.wrapping_add(1);
        match self.exchange(tuple).map_err(Refused::Failed)? {
            // Another direction, or another zone's.
            Answer::Tracked { original, .. } if original != *tuple => Err(Refused::NotTracked),
            Answer::Tracked { reply, .. } => Ok(reply),
            Answer::Error(libc::ENOENT) => Err(Refused::NotTracked),
            Answer::Error(errno) => Err(Refused::Failed(
                std::io::Error::from_raw_os_error(errno).into(),
            )),
        }
    }

    fn exchange(&mut self, tuple: &Tuple) -> Result<Answer> {
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        let message = request(tuple, self.sequence);
        sendto(&self.socket, &message, SendFlags::empty(), &kernel)
            .context("ask connection tracking")?;
        let mut buffer = [0; BUFFER];
        for _ in 0..STRAYS {
            let (length, _) = recv(&self.socket, &mut buffer, RecvFlags::empty())
                .context("wait for connection tracking")?;
            if let Some(answer) = answer(&buffer[..length], self.sequence) {
                return Ok(answer);
            }
        }
        bail!("connection tracking answered something else")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_nobody_made_is_not_tracked() {
        // Without the right there is no socket, and the error says why.
        let mut asker = match (is_allowed(), Asker::open()) {
            (Ok(()), Ok(asker)) => asker,
            // A kernel without such sockets.
            (Ok(()), Err(error)) => return println!("{error:#}"),
            (Err(error), _) => {
                return assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
            }
        };
        for (source, destination) in [
            ("192.0.2.1:1", "192.0.2.2:2"),
            ("[2001:db8::1]:1", "[2001:db8::2]:2"),
        ] {
            let tuple = Tuple {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
            };
            match asker.ask(&tuple) {
                Err(Refused::NotTracked) => {}
                // A kernel without connection tracking says so.
                Err(Refused::Failed(error)) => println!("{error:#}"),
                Ok(reply) => panic!("{reply:?}"),
            }
        }
    }
}
