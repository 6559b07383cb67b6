//! One tracked TCP connection, as netlink tells it.

// include/uapi/linux/netfilter/nfnetlink_conntrack.h
const TUPLE: u16 = 1;
const TUPLE_IP: u16 = 1;
const IPV4_SOURCE: u16 = 1;
const IPV4_DESTINATION: u16 = 2;
const TUPLE_PROTOCOL: u16 = 2;
const PROTOCOL: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
const INFO: u16 = 4;
const INFO_TCP: u16 = 1;
const TCP_STATE: u16 = 1;
const COUNTERS: u16 = 9;
const REPLY_COUNTERS: u16 = 10;
const BYTES: u16 = 2;
const ID: u16 = 12;
/// `TCP_CONNTRACK_ESTABLISHED`.
const ESTABLISHED: u8 = 3;
const TCP: u8 = 6;

/// Who, and which of them: a 5-tuple may be used again, the kernel's id says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Who {
    pub(super) source: [u8; 4],
    pub(super) destination: [u8; 4],
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) id: u32,
}

/// An entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) who: Who,
    /// Whether the connection is open now.
    pub(super) open: bool,
    /// Both ways, with IP and TCP headers; 0 where the kernel does not count.
    pub(super) bytes: u64,
}

impl Entry {
    /// From the attributes of a message; `None` if it is no TCP connection over IPv4.
    pub(super) fn read(attributes: &[u8]) -> Option<Self> {
        let tuple = find(attributes, TUPLE)?;
        let (ip, protocol) = (find(tuple, TUPLE_IP)?, find(tuple, TUPLE_PROTOCOL)?);
        if find(protocol, PROTOCOL)? != [TCP] {
            return None;
        }
        let address = |kind| find(ip, kind)?.try_into().ok();
        let port = |kind| {
            find(protocol, kind)?
                .try_into()
                .ok()
                .map(u16::from_be_bytes)
        };
        let bytes = |kind| -> Option<u64> {
            let bytes = find(find(attributes, kind)?, BYTES)?;
            bytes.try_into().ok().map(u64::from_be_bytes)
        };
        let state = find(attributes, INFO)
            .and_then(|info| find(info, INFO_TCP))
            .and_then(|tcp| find(tcp, TCP_STATE));
        Some(Self {
            who: Who {
                source: address(IPV4_SOURCE)?,
                destination: address(IPV4_DESTINATION)?,
                source_port: port(SOURCE_PORT)?,
                destination_port: port(DESTINATION_PORT)?,
                id: find(attributes, ID)?
                    .try_into()
                    .ok()
                    .map(u32::from_be_bytes)?,
            },
            open: state == Some(&[ESTABLISHED]),
            bytes: bytes(COUNTERS)
                .unwrap_or(0)
                .saturating_add(bytes(REPLY_COUNTERS).unwrap_or(0)),
        })
    }
}

/// The value of the first attribute of a kind: `struct nlattr`, whose kind has two flags at its top.
fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let head = attributes.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & 0x3fff;
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn nested(kind: u16, values: &[Vec<u8>]) -> Vec<u8> {
        attribute(kind | 0x8000, &values.concat())
    }

    /// 10.0.0.2:40000 → 10.0.0.3:2000, open, 1,000 bytes and 50 back.
    pub(in super::super) fn example() -> Vec<u8> {
        with(TCP, ESTABLISHED)
    }

    fn with(protocol: u8, state: u8) -> Vec<u8> {
        let counters = |kind, bytes: u64| {
            let packets = attribute(1, &9_u64.to_be_bytes());
            nested(kind, &[packets, attribute(BYTES, &bytes.to_be_bytes())])
        };
        [
            nested(
                TUPLE,
                &[
                    nested(
                        TUPLE_IP,
                        &[
                            attribute(IPV4_SOURCE, &[10, 0, 0, 2]),
                            attribute(IPV4_DESTINATION, &[10, 0, 0, 3]),
                        ],
                    ),
                    nested(
                        TUPLE_PROTOCOL,
                        &[
                            attribute(PROTOCOL, &[protocol]),
                            attribute(SOURCE_PORT, &40_000_u16.to_be_bytes()),
                            attribute(DESTINATION_PORT, &2_000_u16.to_be_bytes()),
                        ],
                    ),
                ],
            ),
            nested(INFO, &[nested(INFO_TCP, &[attribute(TCP_STATE, &[state])])]),
            counters(COUNTERS, 1_000),
            counters(REPLY_COUNTERS, 50),
            attribute(ID, &77_u32.to_be_bytes()),
        ]
        .concat()
    }

    #[test]
    fn reads_what_is_there() {
        let entry = Entry::read(&example()).unwrap();
        let expected = Who {
            source: [10, 0, 0, 2],
            destination: [10, 0, 0, 3],
            source_port: 40_000,
            destination_port: 2_000,
            id: 77,
        };
        assert_eq!(
            (entry.who, entry.open, entry.bytes),
            (expected, true, 1_050)
        );
        // TIME_WAIT, and UDP.
        assert!(!Entry::read(&with(TCP, 7)).unwrap().open);
        assert_eq!(Entry::read(&with(17, ESTABLISHED)), None);
    }

    #[test]
    fn cut_anywhere_it_is_no_entry() {
        let whole = example();
        for length in 0..whole.len() {
            assert_eq!(Entry::read(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn an_attribute_without_a_length_ends_the_search() {
        assert_eq!(find(&[0; 64], 5), None);
        assert_eq!(find(&[3, 0, 1, 0, 9, 9, 9, 9], 1), None);
    }
}
