//! One HTTP question, by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A program on this host answers at once or not at all.
const LIMIT: Duration = Duration::from_secs(2);

/// Whether `GET /readyz` answers 200.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    status(address, "/readyz").is_ok_and(|status| status == Some(200))
}

fn status(address: SocketAddr, path: &str) -> std::io::Result<Option<u16>> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // In one piece: a server that reads once sees all of it.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    // To the end: closing with unread bytes would reset the connection and put an error into the server's log.
    std::io::copy(&mut stream.take(64 * 1024), &mut std::io::sink())?;
    Ok(code(&head))
}

/// The code in `HTTP/1.1 200`.
fn code(head: &[u8; 12]) -> Option<u16> {
    let text = std::str::from_utf8(head).ok()?;
    let (protocol, code) = text.split_once(' ')?;
    protocol.starts_with("HTTP/1.").then(|| code.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answer(text: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(text.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn only_200_is_ready() {
        assert!(is_ready(answer("HTTP/1.1 200 OK\r\n\r\nready")));
        assert!(!is_ready(answer(
            "HTTP/1.1 503 Service Unavailable\r\n\r\n"
        )));
        assert!(!is_ready(answer("SSH-2.0-OpenSSH 200")));
        assert!(!is_ready(answer("")));
    }

    #[test]
    fn nobody_there_is_not_ready() {
        let gone = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(!is_ready(gone));
    }
}
