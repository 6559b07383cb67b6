//! Datagrams: requests that say how long they are and how long a reply they want, as over TCP, each in one datagram.

use std::collections::HashSet;
use std::io::stdin;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;

use super::args::Flags;
use super::protocol::{HEADER, Header};
use super::tally::Tally;

/// Longest datagram here, bytes.
const LONGEST: usize = 60_000;

/// Longest wait for a reply: within one host none is lost, unless a buffer is full.
const REPLY: Duration = Duration::from_secs(10);

/// How a client uses its sockets.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server, or a group of them.
    pub to: SocketAddr,
    /// How many sockets.
    pub sockets: u64,
    /// Requests from each.
    pub requests: u64,
    /// Bytes of each request.
    pub send: u64,
    /// Bytes of each reply; 0 for none.
    pub receive: u64,
    /// Sockets are connected, and neither give nor ask for an address.
    pub connect: bool,
    /// The sockets' port; 0 for any.
    pub port: u16,
    /// Sockets at the same time.
    pub concurrency: NonZeroUsize,
    /// After the requests the sockets stay open until standard input ends; each line on it is as many requests again.
    pub hold: bool,
}

impl Plan {
    /// One request from each socket, unconnected.
    pub fn new(to: SocketAddr, sockets: u64, send: u64, receive: u64) -> Self {
        Self {
            to,
            sockets,
            requests: 1,
            send,
            receive,
            connect: false,
            port: 0,
            concurrency: NonZeroUsize::MIN,
            hold: false,
        }
    }

    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            to: flags.required("--to")?,
            sockets: flags.required("--sockets")?,
            requests: flags.optional("--requests")?.unwrap_or(1),
            send: flags.required("--send")?,
            receive: flags.required("--receive")?,
            connect: flags.switch("--connect")?,
            port: flags.optional("--port")?.unwrap_or(0),
            concurrency: flags
                .optional("--concurrency")?
                .unwrap_or(NonZeroUsize::MIN),
            hold: flags.switch("--hold")?,
        };
        flags.finish()?;
        for bytes in [plan.send, plan.receive] {
            ensure!(
                bytes <= LONGEST as u64,
                "a datagram has {LONGEST} bytes at most"
            );
        }
        ensure!(
            plan.send >= HEADER as u64,
            "--send has {HEADER} bytes at least"
        );
        Ok(plan)
    }

    /// As a command line for `insight-load`.
    pub fn to_args(&self) -> Vec<String> {
        let mut args = format!(
            "udp-client --to {} --sockets {} --requests {} --send {} --receive {} --port {} --concurrency {}",
            self.to,
            self.sockets,
            self.requests,
            self.send,
            self.receive,
            self.port,
            self.concurrency
        );
        for (flag, wanted) in [(" --connect", self.connect), (" --hold", self.hold)] {
            if wanted {
                args.push_str(flag);
            }
        }
        args.split(' ').map(str::to_owned).collect()
    }

    fn open(&self) -> Result<UdpSocket> {
        let any: IpAddr = match self.to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, self.port)).context("open a socket")?;
        socket.set_read_timeout(Some(REPLY))?;
        if self.to.is_ipv4() {
            socket.set_broadcast(true)?;
        }
        if self.connect {
            socket.connect(self.to)?;
        }
        Ok(socket)
    }

    /// All requests of one socket.
    fn exchange(&self, socket: &UdpSocket, buffer: &mut [u8]) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut request = vec![0x5a; usize::try_from(self.send)?];
        let header = Header {
            request: self.send,
            reply: self.receive,
        };
        request[..HEADER].copy_from_slice(&header.to_bytes());
        for _ in 0..self.requests {
            let sent = if self.connect {
                socket.send(&request)
            } else {
                socket.send_to(&request, self.to)
            };
            tally.bytes_sent += sent.context("send a request")? as u64;
            tally.requests += 1;
            if self.receive > 0 {
                let got = if self.connect {
                    socket.recv(buffer)
                } else {
                    socket.recv_from(buffer).map(|(length, _)| length)
                };
                let got = got.context("receive a reply")? as u64;
                ensure!(got == self.receive, "a reply of {got} bytes");
                tally.bytes_received += got;
            }
        }
        Ok(tally)
    }
}

/// Runs a client, and prints what it did.
pub fn client(plan: &Plan) -> Result<()> {
    let workers = u64::try_from(plan.concurrency.get())?;
    let ports = Mutex::new(HashSet::new());
    let work = |worker: u64| -> Result<(Vec<UdpSocket>, Tally)> {
        let (mut open, mut sum) = (Vec::new(), Tally::default());
        let mut buffer = vec![0; LONGEST];
        let share = plan.sockets / workers + u64::from(worker < plan.sockets % workers);
        for _ in 0..share {
            let socket = plan.open()?;
            sum += plan.exchange(&socket, &mut buffer)?;
            let port = socket.local_addr()?.port();
            // A port that the kernel gives twice is one conversation that goes on.
            let is_new = ports.lock().is_ok_and(|mut ports| ports.insert(port));
            sum.connections += u64::from(is_new);
            if plan.hold {
                open.push(socket);
            }
        }
        Ok((open, sum))
    };
    let (mut open, mut sum) = (Vec::new(), Tally::default());
    thread::scope(|scope| -> Result<()> {
        let running: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn({
                    let work = &work;
                    move || work(worker)
                })
            })
            .collect();
        for worker in running {
            let (sockets, tally) = worker.join().map_err(|_| anyhow!("a worker panicked"))??;
            open.extend(sockets);
            sum += tally;
        }
        Ok(())
    })?;
    println!("{}", sum.to_json());
    let mut buffer = vec![0; LONGEST];
    for _line in stdin().lines().take(if plan.hold { usize::MAX } else { 0 }) {
        for socket in &open {
            sum += plan.exchange(socket, &mut buffer)?;
        }
        println!("{}", sum.to_json());
    }
    Ok(())
}

/// Answers until it is killed.
pub fn server(mut flags: Flags) -> Result<()> {
    let listen: SocketAddr = flags.required("--listen")?;
    let group: Option<Ipv4Addr> = flags.optional("--join")?;
    let peek = flags.switch("--peek")?;
    flags.finish()?;
    let socket = UdpSocket::bind(listen).context("open the socket")?;
    if let Some(group) = group {
        // Of IPv4, for a socket of either family.
        let own = Ipv4Addr::UNSPECIFIED;
        socket
            .join_multicast_v4(&group, &own)
            .context("join the group")?;
    }
    println!("{}", json!({ "listens": listen.to_string() }));
    let mut buffer = vec![0; LONGEST];
    let reply = vec![0xa5; LONGEST];
    loop {
        if peek {
            socket.peek_from(&mut buffer)?;
        }
        let (length, from) = socket.recv_from(&mut buffer)?;
        let header = buffer[..length].first_chunk().context("a short request")?;
        let header = Header::from_bytes(*header)?;
        ensure!(header.request == length as u64, "a request was cut");
        if header.reply > 0 {
            let reply = reply.get(..usize::try_from(header.reply)?);
            socket.send_to(reply.context("too long a reply")?, from)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_the_command_line() {
        let mut plan = Plan::new(([127, 0, 0, 1], 80).into(), 3, 16, 5);
        (plan.connect, plan.hold, plan.port) = (true, true, 99);
        let args = plan.to_args();
        let again = Plan::from_flags(&mut Flags::parse(args.into_iter().skip(1)).unwrap()).unwrap();
        assert_eq!(format!("{plan:?}"), format!("{again:?}"));
    }
}
