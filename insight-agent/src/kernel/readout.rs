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
const PIECE: usize = 32 * 1024;

/// Iterators go over the processes of their reader's PID namespace.
pub(super) fn needs_host_processes() -> Result<()> {
    let own = std::fs::metadata("/proc/self/ns/pid").context("look at /proc/self/ns/pid")?;
    if std::os::unix::fs::MetadataExt::ino(&own) != HOST_PID_NAMESPACE {
        bail!(
            "the agent is not in the host's PID namespace and would see its own processes only; in Kubernetes set hostPID: true"
        );
    }
    Ok(())
}

/// The attached readout.
pub(super) struct Readout {
    link: OwnedFd,
}

impl Readout {
    pub(super) fn attach(program: &ProgramFd) -> Result<Self> {
        needs_host_processes()?;
        let link = system::link_iterator(program.as_fd(), None).context("link the iterator")?;
        Ok(Self { link })
    }

    /// One pass: a record for each descriptor of an open TCP socket in scope. None is kept here, however many there are.
    pub(super) fn read(&self, mut each: impl FnMut(&LiveSocket)) -> Result<()> {
        let mut pass =
            system::iterate(self.link.as_fd()).context("start a pass over the open sockets")?;
        let mut piece = vec![0; PIECE];
        let mut filled = 0;
        loop {
            match pass.read(&mut piece[filled..]) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    filled += length;
                    system::values(&piece[..filled]).for_each(|record| each(&record));
                    // A read may end within a record.
                    let whole = filled - filled % size_of::<LiveSocket>();
                    piece.copy_within(whole..filled, 0);
                    filled -= whole;
                }
                // After a million descriptors without a TCP socket the kernel lets the reader breathe, and goes on where it was.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error).context("read the open sockets"),
            }
        }
    }
}
