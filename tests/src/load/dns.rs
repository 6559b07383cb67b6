//! Lookups of names as a resolver library makes them: a new socket for each, connected, and a real DNS message (RFC 1035).

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::args::Flags;
use super::tally::Tally;

const REPLY: Duration = Duration::from_secs(10);

/// Longest message without extensions, bytes.
const LONGEST: usize = 512;

/// The header's length, bytes.
const HEADER: usize = 12;

/// Flags of a query: recursion is desired.
const QUERY: u16 = 0x0100;
/// Flags of an answer without an error: recursion is available, too.
const ANSWER: u16 = 0x8180;
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;

/// A query for the IPv4 address of a name.
fn query(id: u16, name: &str) -> Result<Vec<u8>> {
    let mut message = Vec::new();
    for word in [id, QUERY, 1, 0, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| *length < 64);
        message.push(length.with_context(|| format!("{label:?} is no label"))?);
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(TYPE_A.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    Ok(message)
}

/// The answer to a query: one address, whatever the name.
fn answer(query: &[u8], address: Ipv4Addr) -> Result<Vec<u8>> {
    let header = query.get(..HEADER).context("a query without a header")?;
    ensure!(header[2] & 0x80 == 0 && header[4..6] == [0, 1], "no query");
    let mut message = header[..2].to_vec();
    for word in [ANSWER, 1, 1, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    message.extend(&query[HEADER..]);
    // The name is the one in the question, at byte 12.
    message.extend([0xc0, 12]);
    message.extend(TYPE_A.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message.extend(60_u32.to_be_bytes());
    message.extend(4_u16.to_be_bytes());
    message.extend(address.octets());
    Ok(message)
}

/// Looks names up, each by a socket of its own, and prints what it did.
pub fn client(mut flags: Flags) -> Result<()> {
    let to: SocketAddr = flags.required("--to")?;
    let queries: u16 = flags.required("--queries")?;
    flags.finish()?;
    let (mut tally, mut ports) = (Tally::default(), HashSet::new());
    let mut buffer = [0; LONGEST];
    for id in 0..queries {
        let socket = match to {
            SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
        }
        .context("open a socket")?;
        socket.set_read_timeout(Some(REPLY))?;
        socket.connect(to)?;
        let query = query(id, &format!("host-{id}.insight.example"))?;
        tally.bytes_sent += socket.send(&query).context("ask")? as u64;
        let length = socket.recv(&mut buffer).context("wait for the answer")?;
        ensure!(
            buffer[..2] == query[..2] && buffer[6..8] == [0, 1],
            "no answer"
        );
        tally.bytes_received += length as u64;
        // A port that the kernel gives twice is one conversation that goes on.
        tally.connections += u64::from(ports.insert(socket.local_addr()?.port()));
        tally.requests += 1;
    }
    println!("{}", tally.to_json());
    Ok(())
}

/// Answers until it is killed.
pub fn server(mut flags: Flags) -> Result<()> {
    let listen: SocketAddr = flags.required("--listen")?;
    flags.finish()?;
    let socket = UdpSocket::bind(listen).context("open the socket")?;
    println!("{}", json!({ "listens": listen.to_string() }));
    let mut buffer = [0; LONGEST];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let answer = answer(&buffer[..length], Ipv4Addr::new(192, 0, 2, 1))?;
        socket.send_to(&answer, from)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_the_standard_has_them() {
        let query = query(0x1234, "ab.c").unwrap();
        let expected = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x02ab\x01c\0\0\x01\0\x01";
        assert_eq!(query, expected);
        let answer = answer(&query, Ipv4Addr::new(192, 0, 2, 1)).unwrap();
        assert_eq!(answer.len(), query.len() + 16);
        assert_eq!(answer[..8], *b"\x12\x34\x81\x80\x00\x01\x00\x01");
        assert!(answer.ends_with(&[0, 4, 192, 0, 2, 1]));
        assert!(super::answer(&answer, Ipv4Addr::LOCALHOST).is_err());
    }
}
