//! What client and server say to each other.

use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};

/// Length of [`Header`], bytes.
pub const HEADER: usize = 16;

/// The start of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the request, bytes, this header included.
    pub request: u64,
    /// Length of the reply, bytes; 0 for none.
    pub reply: u64,
}

impl Header {
    /// As bytes.
    pub fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&self.request.to_be_bytes());
        bytes[8..].copy_from_slice(&self.reply.to_be_bytes());
        bytes
    }

    /// From bytes; a request that is shorter than its header is refused.
    pub fn from_bytes(bytes: [u8; HEADER]) -> Result<Self> {
        let word = |from: usize| {
            bytes[from..from + 8]
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte))
        };
        let header = Self {
            request: word(0),
            reply: word(8),
        };
        ensure!(
            header.request >= HEADER as u64,
            "a request of {} bytes is shorter than its header",
            header.request
        );
        Ok(header)
    }
}

/// The longest piece of payload that is written or read at once, bytes.
const CHUNK: usize = 64 * 1024;

/// Writes one request.
pub fn write_request(stream: &mut impl Write, send: u64, receive: u64) -> Result<()> {
    let header = Header {
        request: send,
        reply: receive,
    };
    let mut left = send
        .checked_sub(HEADER as u64)
        .with_context(|| format!("a request has {HEADER} bytes at least"))?;
    // Header and first piece together: a request that fits is one segment, as it is from real programs.
    let first = piece(left);
    let mut start = header.to_bytes().to_vec();
    start.extend_from_slice(first);
    stream.write_all(&start).context("send the request")?;
    left -= first.len() as u64;
    while left > 0 {
        let next = piece(left);
        stream.write_all(next).context("send the request")?;
        left -= next.len() as u64;
    }
    Ok(())
}

/// Reads one reply of exactly that length.
pub fn read_reply(stream: &mut impl Read, receive: u64) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut left = receive;
    while left > 0 {
        let want = piece(left).len();
        let got = stream
            .read(&mut buffer[..want])
            .context("receive the reply")?;
        ensure!(got > 0, "the reply ended {left} bytes too early");
        left -= got as u64;
    }
    Ok(())
}

/// The next piece of a payload of which `left` bytes are missing.
pub fn piece(left: u64) -> &'static [u8] {
    // Its content does not matter.
    static PAYLOAD: [u8; CHUNK] = [0x5a; CHUNK];
    let length = usize::try_from(left).map_or(PAYLOAD.len(), |left| left.min(PAYLOAD.len()));
    &PAYLOAD[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives() {
        let header = Header {
            request: 0x0102_0304_0506,
            reply: 7,
        };
        assert_eq!(Header::from_bytes(header.to_bytes()).unwrap(), header);
        assert!(Header::from_bytes([0; HEADER]).is_err());
    }

    #[test]
    fn a_request_has_exactly_its_length() {
        for send in [16, 17, 65_552, 200_000] {
            let mut sent = Vec::new();
            write_request(&mut sent, send, 0).unwrap();
            assert_eq!(sent.len() as u64, send);
        }
        assert!(write_request(&mut Vec::new(), 15, 0).is_err());
    }

    #[test]
    fn a_short_reply_is_an_error() {
        assert!(read_reply(&mut &[0; 10][..], 10).is_ok());
        assert!(read_reply(&mut &[0; 9][..], 10).is_err());
    }
}
