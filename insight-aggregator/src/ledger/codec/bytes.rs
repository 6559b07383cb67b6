//! Integers of variable length: 7 bits a byte, lowest first, the high bit set on all but the last.

use anyhow::{Context as _, Result, bail};

/// Appends an integer.
pub(super) fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    to.push(value.to_le_bytes()[0]);
}

/// Takes an integer from the front.
pub(super) fn take_varint(from: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(from)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    bail!("an integer does not end")
}

/// Appends an integer of either sign: near 0 it is short.
pub(super) fn put_signed(to: &mut Vec<u8>, value: i64) {
    put_varint(to, (value << 1 ^ value >> 63).cast_unsigned());
}

/// Takes an integer of either sign from the front.
pub(super) fn take_signed(from: &mut &[u8]) -> Result<i64> {
    let value = take_varint(from)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

/// Takes so many bytes from the front.
pub(super) fn take_bytes<'a>(from: &mut &'a [u8], length: u64) -> Result<&'a [u8]> {
    let (taken, rest) = usize::try_from(length)
        .ok()
        .and_then(|length| from.split_at_checked(length))
        .with_context(|| format!("the value ends where {length} more bytes should be"))?;
    *from = rest;
    Ok(taken)
}

/// Takes bytes from the front.
pub(super) fn take<const N: usize>(from: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, rest) = from
        .split_first_chunk()
        .with_context(|| format!("the value ends where {N} more bytes should be"))?;
    *from = rest;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back() {
        for (value, length) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (300, 2),
            (1 << 35, 6),
            (u64::MAX, 10),
        ] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(bytes.len(), length, "{value}");
            bytes.push(9);
            let mut rest = &bytes[..];
            assert_eq!(take_varint(&mut rest).unwrap(), value);
            assert_eq!(rest, [9]);
        }
        for (value, length) in [(0, 1), (-1, 1), (63, 1), (-64, 1), (64, 2), (i64::MIN, 10)] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            assert_eq!(bytes.len(), length, "{value}");
            assert_eq!(take_signed(&mut &bytes[..]).unwrap(), value);
        }
    }

    #[test]
    fn bytes_come_back() {
        let mut rest = &b"abc"[..];
        assert_eq!(take_bytes(&mut rest, 2).unwrap(), b"ab");
        assert_eq!(take_bytes(&mut rest, 0).unwrap(), b"");
        assert!(take_bytes(&mut rest, 2).is_err());
        assert!(take_bytes(&mut rest, u64::MAX).is_err());
        assert_eq!(rest, b"c");
    }

    #[test]
    fn broken_integers_are_errors() {
        assert!(take_varint(&mut &[][..]).is_err());
        assert!(take_varint(&mut &[0x80][..]).is_err());
        assert!(take_varint(&mut &[0xff; 11][..]).is_err());
    }
}
