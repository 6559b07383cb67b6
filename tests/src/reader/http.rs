//! The smallest HTTP client that does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// What a server said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header lines.
    pub head: String,
    /// Body.
    pub body: String,
}

/// Longest silence that is waited for.
const SILENCE: Duration = Duration::from_secs(20);

/// Gets a path from a port of 127.0.0.1.
pub fn get(port: u16, path: &str) -> Result<Answer> {
    get_from((Ipv4Addr::LOCALHOST, port).into(), path)
}

/// Gets a path from anywhere.
pub fn get_from(address: SocketAddr, path: &str) -> Result<Answer> {
    let what = || format!("GET http://{address}{path}");
    let mut stream = TcpStream::connect(address).with_context(what)?;
    stream.set_read_timeout(Some(SILENCE))?;
    // HTTP/1.0: the body ends with the connection, so it needs no decoding.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").with_context(what)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).with_context(what)?;
    parse(&String::from_utf8_lossy(&bytes)).with_context(what)
}

/// The body of an answer that must be 200.
pub fn get_ok(port: u16, path: &str) -> Result<String> {
    get_ok_from((Ipv4Addr::LOCALHOST, port).into(), path)
}

/// The same from anywhere.
pub fn get_ok_from(address: SocketAddr, path: &str) -> Result<String> {
    let answer = get_from(address, path)?;
    ensure!(
        answer.status == 200,
        "GET {path} answers {}: {}",
        answer.status,
        answer.body
    );
    Ok(answer.body)
}

fn parse(text: &str) -> Result<Answer> {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        bail!("no HTTP answer: {text:?}");
    };
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .with_context(|| format!("no status in {head:?}"))?;
    Ok(Answer {
        status,
        head: head.to_lowercase(),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_an_answer() {
        let answer = parse("HTTP/1.0 503 Busy\r\nX-Y: Z\r\n\r\nnot yet").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (503, "not yet"));
        assert!(answer.head.contains("x-y: z"));
        assert!(parse("").is_err() && parse("nonsense\r\n\r\n").is_err());
    }
}
