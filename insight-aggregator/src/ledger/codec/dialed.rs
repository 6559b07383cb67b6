//! What is known of addresses between the ends of a row, after the row: how many, then each with its form, port, addresses and scope.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};

use super::bytes::{put_varint, take, take_varint};
use crate::model::{Dialed, MAX_DIALED};

/// Bits of the form: a translation, else what was asked for; whether its addresses are IPv6; whether there is a source, and a scope.
const TRANSLATED: u8 = 1;
const V6: u8 = 2;
const SOURCE: u8 = 4;
const SOURCE_V6: u8 = 8;
const SCOPE: u8 = 16;
const FORMS: u8 = TRANSLATED | V6 | SOURCE | SOURCE_V6 | SCOPE;

/// Appends all of a row's.
pub(super) fn put_dialed<'a>(to: &mut Vec<u8>, all: impl ExactSizeIterator<Item = &'a Dialed>) {
    put_varint(to, all.len() as u64);
    for dialed in all {
        let (form, address, source, scope) = match dialed {
            Dialed::Asked(address) => (0, address, None, 0),
            Dialed::Translated { to, source, scope } => (TRANSLATED, to, *source, *scope),
        };
        let source_form = match source {
            None => 0,
            Some(IpAddr::V4(_)) => SOURCE,
            Some(IpAddr::V6(_)) => SOURCE | SOURCE_V6,
        };
        let family = if address.is_ipv6() { V6 } else { 0 };
        let scope_form = if scope == 0 { 0 } else { SCOPE };
        to.push(form | family | source_form | scope_form);
        to.extend_from_slice(&address.port().to_le_bytes());
        put_address(to, address.ip());
        if let Some(source) = source {
            put_address(to, source);
        }
        if scope != 0 {
            to.extend_from_slice(&scope.to_le_bytes());
        }
    }
}

/// Takes all of a row's from the front.
pub(super) fn take_dialed(from: &mut &[u8]) -> Result<Vec<Dialed>> {
    let count = take_varint(from)?;
    ensure!(
        count <= MAX_DIALED as u64,
        "a row has {count} dialed addresses, more than were ever kept"
    );
    (0..count).map(|_| one(from)).collect()
}

fn one(from: &mut &[u8]) -> Result<Dialed> {
    let [form] = take(from)?;
    ensure!(
        form & !FORMS == 0,
        "a dialed address has the unknown form {form:#x}"
    );
    let port = u16::from_le_bytes(take(from)?);
    let address = SocketAddr::new(take_address(from, form & V6 != 0)?, port);
    if form & TRANSLATED == 0 {
        return Ok(Dialed::Asked(address));
    }
    let source = match form & SOURCE {
        0 => None,
        _ => Some(take_address(from, form & SOURCE_V6 != 0)?),
    };
    let scope = match form & SCOPE {
        0 => 0,
        _ => u64::from_le_bytes(take(from)?),
    };
    Ok(Dialed::Translated {
        to: address,
        source,
        scope,
    })
}

fn put_address(to: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => to.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => to.extend_from_slice(&address.octets()),
    }
}

fn take_address(from: &mut &[u8], is_v6: bool) -> Result<IpAddr> {
    Ok(if is_v6 {
        take::<16>(from)?.into()
    } else {
        take::<4>(from)?.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_comes_back_and_a_part_of_it_does_not() {
        let address = |text: &str| text.parse().unwrap();
        let mut all = vec![
            Dialed::Asked(address("10.96.0.1:80")),
            Dialed::Asked(address("[2001:db8::1]:65535")),
        ];
        for to in ["10.0.0.7:8080", "[2001:db8::7]:1"] {
            for source in [None, Some("192.0.2.1"), Some("2001:db8::9")] {
                all.extend([0, u64::MAX].map(|scope| Dialed::Translated {
                    to: address(to),
                    source: source.map(|source| source.parse().unwrap()),
                    scope,
                }));
            }
        }
        let mut bytes = Vec::new();
        put_dialed(&mut bytes, all.iter());
        for length in 0..bytes.len() {
            assert!(take_dialed(&mut &bytes[..length]).is_err(), "{length}");
        }
        bytes.push(9);
        let mut rest = &bytes[..];
        assert_eq!(take_dialed(&mut rest).unwrap(), all);
        assert_eq!(rest, [9]);
        assert!(take_dialed(&mut &[1, 32][..]).is_err(), "form");
        assert!(take_dialed(&mut &[0xff, 1][..]).is_err(), "count");
    }
}
