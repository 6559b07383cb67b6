//! Ports that must be free before anything starts.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Result, bail};

/// Fails on the first address that cannot be listened on; each comes with the flag that changes it.
pub(crate) fn free(addresses: &[(&str, SocketAddr)]) -> Result<()> {
    for (flag, address) in addresses {
        match TcpListener::bind(address) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
                "{address} is taken, perhaps by another 'cargo xtask up': stop that ('sudo ss -ltnp' shows who), or choose another with {flag}"
            ),
            Err(error) => bail!("cannot listen on {address}, choose another with {flag}: {error}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_flag() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = free(&[("--http", address)]).unwrap_err().to_string();
        assert!(
            error.contains("is taken") && error.contains("--http"),
            "{error}"
        );
        drop(taken);
        assert!(free(&[("--http", address)]).is_ok());
    }
}
