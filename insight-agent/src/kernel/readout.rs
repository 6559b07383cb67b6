//! Reads the open connections of the whole node, one pass an interval.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, bail};
use aya::programs::ProgramFd;
use insight_ebpf::abi::LiveSocket;

use super::system;

/// Inode of the first PID namespace, `PROC_PID_INIT_INO` in include/linux/proc_ns.h.
const HOST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Bytes of one read: the kernel's own buffer for an iterator is 32 KiB (8 pages).
const PIECE: usize = 64 * 1024;

/// The attached readout.
pub(super) struct Readout {
    link: OwnedFd,
    buffer: Vec<u8>,
}

impl Readout {
    pub(super) fn attach(program: &ProgramFd) -> Result<Self> {
        let own = std::fs::metadata("/proc/self/ns/pid").context("look at /proc/self/ns/pid")?;
        if std::os::unix::fs::MetadataExt::ino(&own) != HOST_PID_NAMESPACE {
            bail!(
                "the agent is not in the host's PID namespace and would see its own files only; in Kubernetes set hostPID: true"
            );
        }
        let link = system::link_iterator(program.as_fd()).context("link the iterator")?;
        Ok(Self {
            link,
            buffer: Vec::new(),
        })
    }

    /// One pass: a record for each descriptor of an open TCP socket in scope.
    pub(super) fn read(&mut self) -> Result<Vec<LiveSocket>> {
        self.buffer.clear();
        let mut pass =
            system::iterate(self.link.as_fd()).context("start a pass over the open sockets")?;
        let mut piece = vec![0; PIECE];
        loop {
            match pass.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => self.buffer.extend_from_slice(&piece[..length]),
                // After a million descriptors without a TCP socket the kernel lets the reader breathe, and goes on where it was.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error).context("read the open sockets"),
            }
        }
        Ok(system::values(&self.buffer).collect())
    }
}
