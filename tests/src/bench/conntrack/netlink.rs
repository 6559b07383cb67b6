//! The kernel's table of tracked connections, over netlink.

use std::io;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail, ensure};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use super::entry::Entry;

// include/uapi/linux/netlink.h
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `struct nlmsghdr`.
const HEADER: usize = 16;

// include/uapi/linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h
const CONNTRACK: u16 = 1 << 8;
const NEW: u16 = CONNTRACK;
const GET: u16 = CONNTRACK | 1;
const DELETE: u16 = CONNTRACK | 2;
/// `struct nfgenmsg`.
const FAMILY: usize = 4;

/// Larger than what the kernel puts into one answer of a dump.
const BUFFER: usize = 65_536;

/// The table of the network namespace that it was opened in.
pub(super) struct Table {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Table {
    pub(super) fn open() -> Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )
        .context("open a netlink socket to netfilter")?;
        Ok(Self {
            socket,
            buffer: vec![0; BUFFER],
        })
    }

    /// Reads all of it.
    pub(super) fn dump(&mut self, each: impl FnMut(Entry)) -> Result<()> {
        self.ask(GET, REQUEST | DUMP, each)
            .context("read the table of tracked connections")
    }

    /// Empties it.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.ask(DELETE, REQUEST | ACKNOWLEDGE, |_| ())
            .context("empty the table of tracked connections")
    }

    fn ask(&mut self, what: u16, flags: u16, mut each: impl FnMut(Entry)) -> Result<()> {
        rustix::net::send(&self.socket, &request(what, flags), SendFlags::empty())?;
        loop {
            let (length, _) =
                rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())?;
            if answers(&self.buffer[..length], &mut each)? {
                return Ok(());
            }
        }
    }
}

fn request(what: u16, flags: u16) -> Vec<u8> {
    let length = (HEADER + FAMILY) as u32;
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(what.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // No sequence number and no port: one request at a time. Then the family, version 0, and no resource.
    bytes.extend([0; 8]);
    bytes.extend([libc::AF_INET as u8, 0, 0, 0]);
    bytes
}

/// The messages of one read; whether they were the last ones.
fn answers(mut bytes: &[u8], each: &mut impl FnMut(Entry)) -> Result<bool> {
    while !bytes.is_empty() {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
            bail!("a netlink message of {} bytes", bytes.len());
        };
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        ensure!(
            (HEADER..=bytes.len()).contains(&length),
            "a netlink message says that it has {length} bytes of {}",
            bytes.len()
        );
        let body = &bytes[HEADER..length];
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let code = body
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                if code != 0 {
                    return Err(io::Error::from_raw_os_error(code.wrapping_neg()).into());
                }
                return Ok(true);
            }
            NEW => {
                // What is no TCP over IPv4 is none of the load's.
                if let Some(entry) = body.get(FAMILY..).and_then(Entry::read) {
                    each(entry);
                }
            }
            _ => {}
        }
        // Messages begin at multiples of four.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::example;
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = (HEADER + body.len()) as u32;
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn reads_entries_up_to_the_end() {
        let entry = message(NEW, &[&[2, 0, 0, 0], &example()[..]].concat());
        let mut found = 0;
        let mut count = |_| found += 1;
        assert!(!answers(&entry.repeat(2), &mut count).unwrap());
        assert!(answers(&[entry, message(DONE, &[0; 4])].concat(), &mut count).unwrap());
        assert!(!answers(&[], &mut count).unwrap());
        assert_eq!(found, 3);
    }

    #[test]
    fn says_what_the_kernel_refuses_and_what_is_cut() {
        let mut none = |_| panic!("there is no entry");
        assert!(answers(&message(ERROR, &0_i32.to_ne_bytes()), &mut none).unwrap());
        let refused = message(ERROR, &(-libc::EPERM).to_ne_bytes());
        let error = answers(&refused, &mut none).unwrap_err();
        assert!(error.to_string().contains("not permitted"), "{error}");
        let whole = message(NEW, &[0; 8]);
        for length in 1..whole.len() {
            assert!(answers(&whole[..length], &mut none).is_err(), "{length}");
        }
    }
}
