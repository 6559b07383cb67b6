//! A way to the API server that a test may cut: for whoever goes this way it is away, while the cluster and all others go on.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::Cluster;
use crate::product::free_port;

/// A port of 127.0.0.1 that leads to the API server, unless it is cut.
pub struct Relay {
    port: u16,
    to: SocketAddr,
    way: Arc<Mutex<Way>>,
    folder: TempDir,
}

/// What is open. Cut, the port is closed, too.
#[derive(Default)]
struct Way {
    is_open: bool,
    streams: Vec<TcpStream>,
}

impl Relay {
    /// One that is open.
    pub fn new(cluster: &Cluster) -> Result<Self> {
        let text = std::fs::read_to_string(&cluster.kubeconfig)?;
        let mut lines = text.lines().map(str::trim);
        let server = lines.find_map(|line| line.strip_prefix("server: https://"));
        let server = server.context("a kubeconfig names a server")?;
        let relay = Self {
            port: free_port()?,
            to: server
                .parse()
                .with_context(|| format!("an address: {server}"))?,
            way: Arc::default(),
            folder: TempDir::with_prefix("insight-relay-")?,
        };
        // The certificate is not for this address.
        let here = format!(
            "server: https://127.0.0.1:{}\n      tls-server-name: kubernetes",
            relay.port
        );
        let text = text.replace(&format!("server: https://{server}"), &here);
        std::fs::write(relay.kubeconfig(), text)?;
        relay.mend()?;
        Ok(relay)
    }

    /// Of one who may do all, and goes this way.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Ends all connections, and refuses others.
    pub fn cut(&self) {
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        way.is_open = false;
        for stream in way.streams.drain(..) {
            // One that has ended meanwhile.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(way);
        // Lets the listener see it.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }

    /// Lets connections pass again.
    pub fn mend(&self) -> Result<()> {
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        way.is_open = true;
        drop(way);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).context("listen")?;
        let (way, to) = (Arc::clone(&self.way), self.to);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut way = way.lock().unwrap_or_else(PoisonError::into_inner);
                if !way.is_open {
                    return;
                }
                // A connection that cannot be led there is closed.
                let _ = stream.and_then(|stream| way.lead(stream, to));
            }
        });
        Ok(())
    }
}

impl Way {
    fn lead(&mut self, from: TcpStream, to: SocketAddr) -> io::Result<()> {
        let to = TcpStream::connect(to)?;
        for (mut reader, mut writer) in [
            (from.try_clone()?, to.try_clone()?),
            (to.try_clone()?, from.try_clone()?),
        ] {
            thread::spawn(move || {
                // However it ends, the other side is told.
                let _ = io::copy(&mut reader, &mut writer);
                let _ = writer.shutdown(Shutdown::Write);
            });
        }
        self.streams.extend([from, to]);
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
    }
}
