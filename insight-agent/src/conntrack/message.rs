//! Messages of ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h): a connection by its tuple, and the answer. Pure.

use std::net::{IpAddr, SocketAddr};

/// `NFNL_SUBSYS_CTNETLINK` and `IPCTNL_MSG_CT_GET`.
const GET: u16 = 1 << 8 | 1;
/// `NFNL_SUBSYS_CTNETLINK` and `IPCTNL_MSG_CT_NEW`, which answers have.
const NEW: u16 = 1 << 8;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;
/// The bits of an attribute's type that are its type: not `NLA_F_NESTED`, not `NLA_F_NET_BYTEORDER`.
const TYPE: u16 = (1 << 14) - 1;

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const TUPLE_ADDRESSES: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const V4_SOURCE: u16 = 1;
const V4_DESTINATION: u16 = 2;
const V6_SOURCE: u16 = 3;
const V6_DESTINATION: u16 = 4;
const PROTOCOL_NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;

const IPPROTO_TCP: u8 = 6;

/// `struct nlmsghdr`, and behind it `struct nfgenmsg`.
const HEADER: usize = 16;
const GENERIC: usize = 4;

/// One direction of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuple {
    /// Who sends.
    pub(super) source: SocketAddr,
    /// Who receives.
    pub(super) destination: SocketAddr,
}

/// What the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The directions of a connection: as it was opened, and as its server replies.
    Tracked {
        /// As the client sends.
        original: Tuple,
        /// As the server replies.
        reply: Tuple,
    },
    /// An errno.
    Error(i32),
}

/// Asks for the connection whose client sends so. Both addresses are of one IP version.
pub(super) fn request(tuple: &Tuple, sequence: u32) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&GET.to_ne_bytes());
    message.extend_from_slice(&REQUEST.to_ne_bytes());
    message.extend_from_slice(&sequence.to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    let family = match tuple.source {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    // Family, version 0, resource 0.
    message.extend_from_slice(&[family.to_ne_bytes()[0], 0, 0, 0]);
    nest(&mut message, TUPLE_ORIGINAL, |message| {
        nest(message, TUPLE_ADDRESSES, |message| {
            address(message, [V4_SOURCE, V6_SOURCE], tuple.source.ip());
            address(
                message,
                [V4_DESTINATION, V6_DESTINATION],
                tuple.destination.ip(),
            );
        });
        nest(message, TUPLE_PROTOCOL, |message| {
            put(message, PROTOCOL_NUMBER, &[IPPROTO_TCP]);
            put(message, SOURCE_PORT, &tuple.source.port().to_be_bytes());
            put(
                message,
                DESTINATION_PORT,
                &tuple.destination.port().to_be_bytes(),
            );
        });
    });
    let length = u32::try_from(message.len()).unwrap_or(0);
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

fn address(message: &mut Vec<u8>, [v4, v6]: [u16; 2], address: IpAddr) {
    match address {
        IpAddr::V4(address) => put(message, v4, &address.octets()),
        IpAddr::V6(address) => put(message, v6, &address.octets()),
    }
}

fn nest(message: &mut Vec<u8>, kind: u16, inner: impl FnOnce(&mut Vec<u8>)) {
    let start = message.len();
    message.extend_from_slice(&[0; 2]);
    message.extend_from_slice(&(kind | NESTED).to_ne_bytes());
    inner(message);
    let length = u16::try_from(message.len() - start).unwrap_or(0);
    message[start..start + 2].copy_from_slice(&length.to_ne_bytes());
}

fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(0);
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// The first answer to this sequence in what was received; `None` if there is none that can be read.
pub(super) fn answer(mut received: &[u8], sequence: u32) -> Option<Answer> {
    while received.len() >= HEADER {
        let length = usize::try_from(u32_at(received, 0)?).ok()?;
        let message = received.get(..length).filter(|m| m.len() >= HEADER)?;
        if u32_at(message, 8)? == sequence {
            let body = &message[HEADER..];
            match u16_at(message, 4)? {
                ERROR => return Some(Answer::Error(u32_at(body, 0)?.cast_signed().checked_neg()?)),
                NEW => return tracked(body.get(GENERIC..)?),
                _ => {}
            }
        }
        received = received.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    None
}

fn tracked(attributes: &[u8]) -> Option<Answer> {
    Some(Answer::Tracked {
        original: tuple(find(attributes, TUPLE_ORIGINAL)?)?,
        reply: tuple(find(attributes, TUPLE_REPLY)?)?,
    })
}

fn tuple(attributes: &[u8]) -> Option<Tuple> {
    let addresses = find(attributes, TUPLE_ADDRESSES)?;
    let protocol = find(attributes, TUPLE_PROTOCOL)?;
    if find(protocol, PROTOCOL_NUMBER)? != [IPPROTO_TCP] {
        return None;
    }
    let end = |[v4, v6]: [u16; 2], port| {
        let address: IpAddr = match find(addresses, v4) {
            Some(octets) => <[u8; 4]>::try_from(octets).ok()?.into(),
            None => <[u8; 16]>::try_from(find(addresses, v6)?).ok()?.into(),
        };
        let port = u16::from_be_bytes(find(protocol, port)?.try_into().ok()?);
        Some(SocketAddr::new(address, port))
    };
    Some(Tuple {
        source: end([V4_SOURCE, V6_SOURCE], SOURCE_PORT)?,
        destination: end([V4_DESTINATION, V6_DESTINATION], DESTINATION_PORT)?,
    })
}

/// The first attribute of a type.
fn find(mut attributes: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let value = attributes.get(4..length)?;
        if u16_at(attributes, 2)? & TYPE == kind {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "message_properties.rs"]
mod properties;
