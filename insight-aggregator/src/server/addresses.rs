//! Listening, with errors that say what to do.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;

/// Somebody else listens at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortTaken {
    /// The flag: "grpc", "http" or "cluster-insight".
    pub flag: &'static str,
    /// The address.
    pub address: SocketAddr,
}

impl fmt::Display for PortTaken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, address } = self;
        write!(
            out,
            "cannot listen at {address} (--{flag}): another program does"
        )
    }
}

impl std::error::Error for PortTaken {}

pub(super) async fn listen(flag: &'static str, address: SocketAddr) -> Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Err(PortTaken { flag, address }.into())
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen at {address} (--{flag})")),
    }
}
