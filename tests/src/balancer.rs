//! A load balancer at the sockets, as some CNIs have one: a BPF program on a cgroup's connect hook puts a backend's address in the place of a
//! Service's.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, bail};

// `enum bpf_cmd`, `enum bpf_prog_type` and `enum bpf_attach_type`, include/uapi/linux/bpf.h
const PROG_LOAD: libc::c_long = 5;
const LINK_CREATE: libc::c_long = 28;
const CGROUP_SOCK_ADDR: u32 = 18;
const INET4_CONNECT: u32 = 10;
const INET6_CONNECT: u32 = 11;

/// Where `struct bpf_sock_addr` has its fields.
const USER_IP4: i16 = 4;
const USER_IP6: i16 = 8;
const USER_PORT: i16 = 24;

/// `struct bpf_insn`: code, registers, offset, immediate.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction(u8, u8, i16, u32);

/// What loading takes of `union bpf_attr`.
#[repr(C)]
#[derive(Default)]
struct LoadAttributes {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log: [u64; 2],
    version_and_flags: u64,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

/// One Service with one backend, for as long as this lives.
pub struct Balancer {
    _link: OwnedFd,
}

impl Balancer {
    /// Leads connects of programs in a cgroup and below to `backend` if they ask for `service`; both of one IP version.
    pub fn attach(cgroup: &Path, service: SocketAddr, backend: SocketAddr) -> Result<Self> {
        let attach_type = match service {
            SocketAddr::V4(_) => INET4_CONNECT,
            SocketAddr::V6(_) => INET6_CONNECT,
        };
        let program = load(&rewrite(service, backend)?, attach_type)?;
        let cgroup = File::open(cgroup).with_context(|| format!("open {}", cgroup.display()))?;
        let mut link = [number(&program)?, number(&cgroup)?, attach_type, 0];
        // SAFETY: no pointers in the attributes, and the command answers a new descriptor.
        let link = unsafe { bpf(LINK_CREATE, &mut link) }.context("attach a load balancer")?;
        Ok(Self { _link: link })
    }
}

/// The fields of an address, each with its word.
fn words(address: SocketAddr) -> Vec<(i16, u32)> {
    let mut words = match address.ip() {
        IpAddr::V4(v4) => vec![(USER_IP4, u32::from_ne_bytes(v4.octets()))],
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            let chunks = octets.as_chunks::<4>().0.iter();
            (USER_IP6..)
                .step_by(4)
                .zip(chunks.map(|chunk| u32::from_ne_bytes(*chunk)))
                .collect()
        }
    };
    words.push((USER_PORT, address.port().to_be().into()));
    words
}

/// `if address == service { address = backend }; return 1`
fn rewrite(service: SocketAddr, backend: SocketAddr) -> Result<Vec<Instruction>> {
    let (asked, given) = (words(service), words(backend));
    if asked.len() != given.len() {
        bail!("{service} and {backend} are of different IP versions");
    }
    let mut program = Vec::new();
    let writes = 2 * given.len();
    for (index, (field, word)) in asked.iter().enumerate() {
        let comparisons_left = 2 * (asked.len() - index - 1);
        // r2 = field; if w2 != word, go to the end
        program.push(Instruction(0x61, 0x12, *field, 0));
        let end = i16::try_from(comparisons_left + writes)?;
        program.push(Instruction(0x56, 0x02, end, *word));
    }
    for (field, word) in given {
        // w2 = word; field = r2
        program.push(Instruction(0xb4, 0x02, 0, word));
        program.push(Instruction(0x63, 0x21, field, 0));
    }
    program.push(Instruction(0xb7, 0, 0, 1));
    program.push(Instruction(0x95, 0, 0, 0));
    Ok(program)
}

fn load(program: &[Instruction], attach_type: u32) -> Result<OwnedFd> {
    let mut attributes = LoadAttributes {
        kind: CGROUP_SOCK_ADDR,
        count: u32::try_from(program.len())?,
        instructions: program.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        name: *b"insight_balance\0",
        attach_type,
        ..LoadAttributes::default()
    };
    // SAFETY: both pointers are valid during the call, to so many instructions and to a string with its end; the command answers a new
    // descriptor.
    unsafe { bpf(PROG_LOAD, &mut attributes) }.context("load a load balancer")
}

fn number(fd: &impl AsRawFd) -> Result<u32> {
    Ok(u32::try_from(fd.as_raw_fd())?)
}

/// # Safety
/// The pointers in the attributes are valid for what the command does with them, and it answers a new descriptor.
unsafe fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the attributes are as long as we say; the rest is the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    match i32::try_from(result) {
        // SAFETY: the kernel has just made it, as the caller promises.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_goes_to_the_end() -> Result<()> {
        for (service, backend) in [
            ("10.96.0.1:80", "10.0.0.2:8080"),
            ("[fd00::1]:80", "[fd00::2]:8080"),
        ] {
            let program = rewrite(service.parse()?, backend.parse()?)?;
            let end = program.len() - 2;
            assert_eq!(program[end], Instruction(0xb7, 0, 0, 1));
            for (at, jump) in program.iter().enumerate().filter(|(_, i)| i.0 == 0x56) {
                assert_eq!(at + 1 + usize::try_from(jump.2)?, end);
            }
        }
        assert!(rewrite("10.96.0.1:80".parse()?, "[fd00::2]:80".parse()?).is_err());
        Ok(())
    }
}
