//! Connects that must fail, and how.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result, bail, ensure};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};

use super::args::Flags;
use super::tally::Tally;

/// How a connect ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// By a reset: nobody listens.
    Refused,
    /// By an ICMP error, or because no neighbour has the address.
    Unreachable,
    /// By silence.
    TimedOut,
    /// By the client itself, before there is an answer.
    Abandoned,
}

impl Expected {
    /// By its name on the command line.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "refused" => Some(Self::Refused),
            "unreachable" => Some(Self::Unreachable),
            "timeout" => Some(Self::TimedOut),
            "abandoned" => Some(Self::Abandoned),
            _ => None,
        }
    }

    fn matches(self, errno: Errno) -> bool {
        match self {
            Self::Refused => errno == Errno::CONNREFUSED,
            Self::Unreachable => matches!(errno, Errno::HOSTUNREACH | Errno::NETUNREACH),
            Self::TimedOut => errno == Errno::TIMEDOUT,
            Self::Abandoned => errno == Errno::INPROGRESS,
        }
    }
}

/// What to try.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How it must end.
    pub expected: Expected,
    /// Where to.
    pub to: SocketAddr,
    /// How often to each port.
    pub count: u64,
    /// How many ports, counting up from the first.
    pub ports: u16,
}

impl Plan {
    /// From the command line.
    pub fn from_flags(expected: Expected, flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            expected,
            to: flags.required("--to")?,
            count: flags.required("--count")?,
            ports: flags.optional("--ports")?.unwrap_or(1),
        };
        ensure!(
            plan.to.port().checked_add(plan.ports).is_some(),
            "there are no {} ports from {} on",
            plan.ports,
            plan.to.port()
        );
        flags.finish()?;
        Ok(plan)
    }
}

/// Connects `count` times to each port, one after the other. Another ending than the expected one is an error.
pub fn run(plan: &Plan) -> Result<()> {
    let mut tally = Tally::default();
    let mut to = plan.to;
    for offset in 0..plan.ports {
        to.set_port(plan.to.port() + offset);
        for _ in 0..plan.count {
            let socket = open(plan)?;
            match rustix::net::connect(&socket, &to) {
                Err(errno) if plan.expected.matches(errno) => tally.failed += 1,
                Err(errno) => {
                    return Err(errno).with_context(|| {
                        format!("connect to {to} did not end {:?}", plan.expected)
                    });
                }
                Ok(()) => bail!("connect to {to} succeeded"),
            }
        }
    }
    println!("{}", tally.to_json());
    Ok(())
}

fn open(plan: &Plan) -> Result<OwnedFd> {
    let family = match plan.to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = match plan.expected {
        Expected::Abandoned => SocketFlags::NONBLOCK,
        _ => SocketFlags::empty(),
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    if plan.expected == Expected::TimedOut {
        one_retry(&socket)?;
    }
    Ok(socket)
}

/// One SYN retry instead of six: seconds instead of two minutes.
fn one_retry(socket: &OwnedFd) -> Result<()> {
    let retries: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of_val(&retries))?;
    // SAFETY: the pointer and the size describe `retries`, which lives during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_SYNCNT,
            (&raw const retries).cast(),
            size,
        )
    };
    ensure!(
        result == 0,
        "set TCP_SYNCNT: {}",
        io::Error::last_os_error()
    );
    Ok(())
}
