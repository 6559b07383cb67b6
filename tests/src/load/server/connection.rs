//! One connection of the server, as far as its socket lets it.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::load::protocol::{HEADER, Header, piece};

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// More of a request.
    Read,
    /// Room for more of a reply.
    Write,
    /// Nothing: it is over.
    Close,
}

#[derive(Clone, Copy)]
enum Step {
    Header { bytes: [u8; HEADER], have: usize },
    Body { left: u64, reply: u64 },
    Reply { left: u64 },
}

const START: Step = Step::Header {
    bytes: [0; HEADER],
    have: 0,
};

/// A connection and how far its request is.
pub(super) struct Connection<S = TcpStream> {
    stream: S,
    step: Step,
    /// Bytes of each reply, whatever is asked for.
    always: Option<u64>,
    received: u64,
    sent: u64,
}

impl<S: Read + Write> Connection<S> {
    /// A new one; `stream` does not block.
    pub(super) fn new(stream: S, always: Option<u64>) -> Self {
        Self {
            stream,
            step: START,
            always,
            received: 0,
            sent: 0,
        }
    }

    /// Bytes received and sent.
    pub(super) fn moved(&self) -> (u64, u64) {
        (self.received, self.sent)
    }

    /// Its socket.
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Reads and writes until the socket would block. A peer that resets, ends or talks nonsense is closed.
    pub(super) fn advance(&mut self) -> Wants {
        loop {
            let moved = match self.step {
                Step::Header { .. } | Step::Body { .. } => self.read(),
                Step::Reply { .. } => self.write(),
            };
            match moved {
                Ok(true) => {}
                Ok(false) => return Wants::Close,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return match self.step {
                        Step::Reply { .. } => Wants::Write,
                        _ => Wants::Read,
                    };
                }
                Err(_) => return Wants::Close,
            }
        }
    }

    fn read(&mut self) -> io::Result<bool> {
        match &mut self.step {
            Step::Header { bytes, have } => {
                let got = self.stream.read(&mut bytes[*have..])?;
                *have += got;
                self.received += got as u64;
                if *have == HEADER {
                    let Ok(header) = Header::from_bytes(*bytes) else {
                        return Ok(false);
                    };
                    self.step = body(
                        header.request - HEADER as u64,
                        self.always.unwrap_or(header.reply),
                    );
                }
                Ok(got > 0)
            }
            Step::Body { left, reply } => {
                let mut buffer = [0; 64 * 1024];
                let got = self.stream.read(&mut buffer[..piece(*left).len()])?;
                self.step = body(*left - got as u64, *reply);
                self.received += got as u64;
                Ok(got > 0)
            }
            Step::Reply { .. } => Ok(true),
        }
    }

    fn write(&mut self) -> io::Result<bool> {
        if let Step::Reply { left } = &mut self.step {
            let put = self.stream.write(piece(*left))?;
            self.step = reply(*left - put as u64);
            self.sent += put as u64;
            return Ok(put > 0);
        }
        Ok(true)
    }
}

fn body(left: u64, then: u64) -> Step {
    match left {
        0 => reply(then),
        left => Step::Body { left, reply: then },
    }
}

fn reply(left: u64) -> Step {
    match left {
        0 => START,
        left => Step::Reply { left },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::protocol::write_request;

    /// Gives its input in pieces of `step` bytes, then would block; or ends.
    struct Wire {
        input: Vec<u8>,
        at: usize,
        step: usize,
        output: usize,
        ended: bool,
    }

    impl Read for Wire {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = self.input.len() - self.at;
            if rest == 0 && !self.ended {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let length = rest.min(self.step).min(buffer.len());
            buffer[..length].copy_from_slice(&self.input[self.at..self.at + length]);
            self.at += length;
            Ok(length)
        }
    }

    impl Write for Wire {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            let length = buffer.len().min(self.step);
            self.output += length;
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn wire(requests: &[(u64, u64)], step: usize) -> Wire {
        let mut input = Vec::new();
        for (send, receive) in requests {
            write_request(&mut input, *send, *receive).unwrap();
        }
        Wire {
            input,
            at: 0,
            step,
            output: 0,
            ended: false,
        }
    }

    #[test]
    fn answers_exactly_what_was_asked() {
        for step in [1, 7, 1 << 20] {
            let mut connection =
                Connection::new(wire(&[(16, 5), (100, 0), (70_000, 90_000)], step), None);
            assert_eq!(connection.advance(), Wants::Read);
            assert_eq!(connection.stream.at, 70_116);
            assert_eq!(connection.stream.output, 90_005);
        }
    }

    #[test]
    fn answers_what_came_before_the_end() {
        let mut connection = Connection::new(wire(&[(20, 30)], 8), None);
        connection.stream.ended = true;
        assert_eq!(connection.advance(), Wants::Close);
        assert_eq!(connection.stream.output, 30);
    }

    #[test]
    fn one_that_always_answers_alike_does() {
        let mut connection = Connection::new(wire(&[(16, 5), (20, 0)], 8), Some(30));
        connection.stream.ended = true;
        assert_eq!(connection.advance(), Wants::Close);
        assert_eq!(connection.stream.output, 60);
        assert_eq!(connection.moved(), (36, 60));
    }

    #[test]
    fn closes_on_nonsense() {
        let mut connection = Connection::new(wire(&[], 8), None);
        connection.stream.input = vec![0; 16];
        assert_eq!(connection.advance(), Wants::Close);
    }
}
