//! Network namespaces around a bridge, with no way to the outside.
//!
//! The bridge lives in a namespace of its own, not in the host's, and no namespace has a default route: packets of a test
//! cannot leave it.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result, ensure};

use crate::ids;

/// A named network namespace, `insight-<pid>-<n>`; deleted when dropped.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one with its loopback interface up and forwarding off.
    pub fn new() -> Result<Self> {
        let name = format!("insight-{}", ids::suffix());
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"])?;
        // A new namespace copies these from the host; a pod is no router, and a host may have IPv6 off.
        namespace.sysctl("net/ipv4/ip_forward", "0")?;
        namespace.sysctl("net/ipv6/conf/all/disable_ipv6", "0")?;
        namespace.sysctl("net/ipv6/conf/default/disable_ipv6", "0")?;
        Ok(namespace)
    }

    /// Runs `ip` on this namespace.
    pub fn ip(&self, args: &[&str]) -> Result<()> {
        ip(&[&["-n", &self.name], args].concat())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opened, to be entered.
    pub fn open(&self) -> Result<File> {
        let path = PathBuf::from("/run/netns").join(&self.name);
        File::open(&path).with_context(|| format!("open {}", path.display()))
    }

    /// Runs `nft` on this namespace, with a script of its rules.
    pub fn nft(&self, script: &str) -> Result<()> {
        ip(&["netns", "exec", &self.name, "nft", script])
            .context("run `nft`; it is in the package nftables")
    }

    /// Sets what is below /proc/sys.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let script = format!("echo {value} > /proc/sys/{key}");
        ip(&["netns", "exec", &self.name, "sh", "-c", &script])
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("left behind: {error:#}");
        }
    }
}

/// Where a network's gateway is, if it has one.
pub const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// The same in IPv6.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0x244, 0, 0, 0, 0, 1);

/// Addresses of a pod.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// In 10.244.0.0/24.
    pub v4: Ipv4Addr,
    /// In fd00:10:244::/64.
    pub v6: Ipv6Addr,
}

impl Addresses {
    fn of(host: u8) -> Self {
        Self {
            v4: Ipv4Addr::new(10, 244, 0, host),
            v6: Ipv6Addr::new(0xfd00, 0x10, 0x244, 0, 0, 0, 0, u16::from(host)),
        }
    }

    /// The IPv4 address written as IPv6, `::ffff:a.b.c.d`.
    pub fn mapped(&self) -> IpAddr {
        IpAddr::V6(self.v4.to_ipv6_mapped())
    }
}

/// A bridge in its own namespace.
pub struct Net {
    switch: Namespace,
    next_host: AtomicU8,
}

impl Net {
    /// Makes the bridge.
    pub fn new() -> Result<Self> {
        let switch = Namespace::new()?;
        switch.ip(&["link", "add", "ins-bridge", "type", "bridge"])?;
        switch.ip(&["link", "set", "ins-bridge", "up"])?;
        Ok(Self {
            switch,
            next_host: AtomicU8::new(2),
        })
    }

    /// Plugs this thread's namespace in, with a device of this name.
    pub fn attach_node(&self, device: &str) -> Result<()> {
        let (kind, switch) = (["type", "veth", "peer", "name", "ins-1"], &self.switch.name);
        ip(&[&["link", "add", device], &kind[..], &["netns", switch]].concat())?;
        self.switch
            .ip(&["link", "set", "ins-1", "master", "ins-bridge", "up"])
    }

    /// Plugs a namespace in, as `eth0` with an IPv4 and an IPv6 address.
    pub fn attach(&self, namespace: &Namespace) -> Result<Addresses> {
        let host = self.next_host.fetch_add(1, Ordering::Relaxed);
        ensure!(
            (2..250).contains(&host),
            "a test network has room for 248 pods"
        );
        let addresses = Addresses::of(host);
        let port = format!("ins-{host}");
        self.switch.ip(&[
            "link",
            "add",
            &port,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            &namespace.name,
        ])?;
        self.switch
            .ip(&["link", "set", &port, "master", "ins-bridge", "up"])?;
        let v4 = format!("{}/24", addresses.v4);
        namespace.ip(&["addr", "add", &v4, "dev", "eth0"])?;
        // Without duplicate address detection the address is usable at once.
        let v6 = format!("{}/64", addresses.v6);
        namespace.ip(&["addr", "add", &v6, "dev", "eth0", "nodad"])?;
        namespace.ip(&["link", "set", "eth0", "up"])?;
        Ok(addresses)
    }
}

/// An address that `client` sends to `silent`, which drops it without a word: nobody answers there.
pub fn black_hole(client: &Namespace, silent: &Addresses) -> Result<Ipv4Addr> {
    let address = Ipv4Addr::new(198, 51, 100, 1);
    let (to, via) = (format!("{address}/32"), silent.v4.to_string());
    client.ip(&["route", "replace", &to, "via", &via])?;
    Ok(address)
}

pub(crate) fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(args)
        .output()
        .context("run `ip`; it is in the package iproute2")?;
    ensure!(
        output.status.success(),
        "`ip {}` ended with {}: {}",
        args.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
