//! Opens connections when told, keeps them, and speaks on them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::ops::Range;

use anyhow::{Context, Result, bail};

use crate::load::args::Flags;
use crate::load::arrival::now_ns;

/// A line of standard input.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    /// Connect to each port.
    Open(Range<u16>),
    /// Exchange so many bytes on each connection.
    Speak(usize),
}

/// Answers each line with a line, until standard input ends.
pub(super) fn run(flags: &mut Flags) -> Result<()> {
    let to: IpAddr = flags.required("--to")?;
    flags.finish()?;
    let mut streams: Vec<TcpStream> = Vec::new();
    for line in io::stdin().lines() {
        let answer = match parse(&line?)? {
            Order::Open(ports) => {
                let mut connected = now_ns()?;
                for port in ports {
                    let stream = TcpStream::connect((to, port))
                        .with_context(|| format!("connect to {to} port {port}"))?;
                    connected = now_ns()?;
                    stream.set_nodelay(true)?;
                    streams.push(stream);
                }
                connected
            }
            Order::Speak(bytes) => {
                let mut buffer = vec![0x5a; bytes];
                for stream in &mut streams {
                    stream.write_all(&buffer).context("send")?;
                    stream.read_exact(&mut buffer).context("receive")?;
                }
                streams.len() as u64
            }
        };
        println!("{answer}");
    }
    Ok(())
}

fn parse(line: &str) -> Result<Order> {
    let words: Vec<&str> = line.split(' ').collect();
    Ok(match words.as_slice() {
        ["open", first, count] => Order::Open(super::range(first.parse()?, count.parse()?)?),
        ["speak", bytes] => Order::Speak(bytes.parse()?),
        _ => bail!("expected `open FIRST COUNT` or `speak BYTES`, found {line:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_orders() {
        assert_eq!(parse("open 20 3").unwrap(), Order::Open(20..23));
        assert_eq!(parse("speak 64").unwrap(), Order::Speak(64));
        for wrong in ["", "open 20", "open 65535 2", "open 1 0", "speak x"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
