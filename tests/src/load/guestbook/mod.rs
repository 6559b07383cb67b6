//! A guestbook as Kubernetes' examples have it: visitors, a frontend, and redis with followers. Each says in its log what it did.

mod frontend;
mod visitor;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

pub use frontend::{Done, frontend};
pub use visitor::visitor;

/// Longest wait for one answer: busy machines start pods slowly.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection to `HOST:PORT`, looked up anew: sends a text and gives all that comes until the other end has answered as `is_whole` wants it, or closes.
fn ask(to: &str, text: &str, is_whole: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to).with_context(|| format!("connect to {to}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(text.as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 512]);
    while !is_whole(&answer) {
        match stream
            .read(&mut buffer)
            .with_context(|| format!("wait for {to}"))?
        {
            0 => break,
            length => answer.extend(&buffer[..length]),
        }
    }
    Ok(answer)
}
