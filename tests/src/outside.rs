//! A machine outside of the cluster, as far as routing goes: what must not be reached from it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::ids;
use crate::net::{Namespace, ip};
use crate::product::run_once;

/// The bridge of the cluster on this machine.
const BRIDGE: &str = "ins-cluster";

/// A network namespace with an address for documentation (RFC 5737), to which this machine would forward what comes from the cluster.
pub struct Outside {
    /// Where it is.
    pub address: Ipv4Addr,
    namespace: Namespace,
    _forwarding: Forwarding,
}

/// Forwarding of what comes from the cluster; off again when dropped, if it was.
struct Forwarding {
    before: String,
}

const FORWARDING: &str = "/proc/sys/net/ipv4/conf";

impl Forwarding {
    fn on() -> Result<Self> {
        let path = format!("{FORWARDING}/{BRIDGE}/forwarding");
        let before = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        fs::write(&path, "1").with_context(|| format!("write {path}"))?;
        Ok(Self { before })
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        let path = format!("{FORWARDING}/{BRIDGE}/forwarding");
        if let Err(error) = fs::write(&path, self.before.trim()) {
            eprintln!("left behind: {path} is on: {error}");
        }
    }
}

impl Outside {
    /// Makes it, with forwarding on for what comes from the cluster's bridge.
    pub fn new() -> Result<Self> {
        let namespace = Namespace::new()?;
        let device = format!("ins-o{}", ids::next_number());
        let pair = [
            "link", "add", &device, "type", "veth", "peer", "name", "eth0", "netns",
        ];
        ip(&[&pair[..], &[namespace.name()]].concat())?;
        ip(&["addr", "add", "198.51.100.1/24", "dev", &device])?;
        ip(&["link", "set", &device, "up"])?;
        namespace.ip(&["addr", "add", "198.51.100.2/24", "dev", "eth0"])?;
        namespace.ip(&["link", "set", "eth0", "up"])?;
        namespace.ip(&["route", "add", "default", "via", "198.51.100.1"])?;
        Ok(Self {
            address: Ipv4Addr::new(198, 51, 100, 2),
            namespace,
            _forwarding: Forwarding::on()?,
        })
    }

    /// Whether this machine gets an answer from it: nobody listens, so it is a refusal.
    pub fn answers(&self) -> bool {
        let address = SocketAddr::from((self.address, 80));
        TcpStream::connect_timeout(&address, Duration::from_secs(5))
            .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    }

    /// How many IPv4 packets it has received.
    pub fn received(&self) -> Result<u64> {
        let mut snmp = Command::new("ip");
        snmp.args([
            "netns",
            "exec",
            self.namespace.name(),
            "cat",
            "/proc/net/snmp",
        ]);
        let text = run_once(snmp)?.stdout()?;
        let mut of_ip = text.lines().filter_map(|line| line.strip_prefix("Ip: "));
        let (names, numbers) = (of_ip.next(), of_ip.next());
        let at = names
            .and_then(|names| names.split(' ').position(|name| name == "InReceives"))
            .context("no InReceives")?;
        let number = numbers.and_then(|numbers| numbers.split(' ').nth(at));
        Ok(number.context("no number")?.parse()?)
    }
}
