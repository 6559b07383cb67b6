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
    }

    #[test]
    fn broken_integers_are_errors() {
        assert!(take_varint(&mut &[][..]).is_err());
        assert!(take_varint(&mut &[0x80][..]).is_err());
        assert!(take_varint(&mut &[0xff; 11][..]).is_err());
    }
}
