//! The aggregator as a guard.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

use super::daemon::Daemon;
use super::free_port;
use crate::reader::Reader;

/// A running aggregator, with an embedded store of its own unless another one is named.
pub struct Aggregator {
    /// The process.
    pub daemon: Daemon,
    /// Where it answers HTTP.
    pub http_port: u16,
    /// Where it answers gRPC.
    pub grpc_port: u16,
    host: Ipv4Addr,
    folder: TempDir,
}

impl Aggregator {
    /// Starts one on free ports and waits until it is ready.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with further flags.
    pub fn start_with(flags: &[&str]) -> Result<Self> {
        Self::started_by(&[], flags)
    }

    /// The same, started by another program; see [`Daemon::started_by`].
    pub fn started_by(starter: &[&str], flags: &[&str]) -> Result<Self> {
        Self::make(Ipv4Addr::LOCALHOST, starter, flags, None)
    }

    /// One that agents reach at an address of this machine; HTTP is at 127.0.0.1 as ever.
    pub fn start_at(host: Ipv4Addr, flags: &[&str]) -> Result<Self> {
        Self::make(host, &[], flags, None)
    }

    /// One that keeps everything in the store of this URL.
    pub fn start_over(store: &str) -> Result<Self> {
        Self::make(Ipv4Addr::LOCALHOST, &[], &[], Some(store))
    }

    fn make(host: Ipv4Addr, starter: &[&str], flags: &[&str], store: Option<&str>) -> Result<Self> {
        let folder = TempDir::with_prefix("insight-store-")?;
        let (http_port, grpc_port) = (free_port()?, free_port()?);
        let own = embedded(&store_in(&folder));
        let mut args = serve_args_at(host, store.unwrap_or(&own), grpc_port, http_port);
        args.extend(flags.iter().map(ToString::to_string));
        let mut aggregator = Self {
            daemon: Daemon::new("insight-aggregator", args, http_port)?.started_by(starter),
            http_port,
            grpc_port,
            host,
            folder,
        };
        aggregator.restart()?;
        Ok(aggregator)
    }

    /// Starts it again, on the same ports and store, after [`Daemon::stop`] or [`Daemon::kill`].
    pub fn restart(&mut self) -> Result<()> {
        self.daemon.start()?;
        self.daemon.wait_ready()
    }

    /// Folder of its store.
    pub fn store(&self) -> PathBuf {
        store_in(&self.folder)
    }

    /// Address for agents and gRPC readers.
    pub fn grpc_url(&self) -> String {
        format!("http://{}:{}", self.host, self.grpc_port)
    }

    /// Address for HTTP readers.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// A reader of all its interfaces.
    pub fn reader(&self) -> Result<Reader> {
        Reader::new(
            self.http_port,
            SocketAddr::from((self.host, self.grpc_port)),
        )
    }
}

/// The command line of `serve`.
pub fn serve_args(store: &Path, grpc_port: u16, http_port: u16) -> Vec<String> {
    serve_args_for(&embedded(store), grpc_port, http_port)
}

/// The same with the URL of any store.
pub fn serve_args_for(store: &str, grpc_port: u16, http_port: u16) -> Vec<String> {
    serve_args_at(Ipv4Addr::LOCALHOST, store, grpc_port, http_port)
}

fn embedded(store: &Path) -> String {
    format!("embedded:{}", store.display())
}

fn serve_args_at(host: Ipv4Addr, store: &str, grpc_port: u16, http_port: u16) -> Vec<String> {
    vec![
        "serve".to_owned(),
        "--grpc".to_owned(),
        format!("{host}:{grpc_port}"),
        "--http".to_owned(),
        format!("127.0.0.1:{http_port}"),
        "--store".to_owned(),
        store.to_owned(),
        "--retention".to_owned(),
        "7d".to_owned(),
    ]
}

fn store_in(folder: &TempDir) -> PathBuf {
    folder.path().join("store")
}
