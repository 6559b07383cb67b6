//! A Service as kube-proxy makes one: an address that nobody has, which NAT turns into a backend's.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::net::{GATEWAY_V4, GATEWAY_V6, Namespace, Net};

/// Where the translation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Where the clients are.
    Output,
    /// Where their packets are forwarded.
    Prerouting,
}

/// Turns `service` into each of `backends` in turn, in a network namespace, or in this thread's. Nothing is to be undone: it goes with the namespace.
pub fn translate(
    namespace: Option<&Namespace>,
    hook: Hook,
    service: SocketAddr,
    backends: &[SocketAddr],
) -> Result<()> {
    let (family, hook) = (
        if service.is_ipv4() { "ip" } else { "ip6" },
        match hook {
            Hook::Output => "output",
            Hook::Prerouting => "prerouting",
        },
    );
    let mut script = format!(
        "add table {family} insight\n\
         add chain {family} insight services {{ type nat hook {hook} priority -100; }}\n"
    );
    for (place, backend) in backends.iter().enumerate() {
        // Each rule takes one of those that are left.
        let left = backends.len() - place;
        let turn = if left > 1 {
            format!("numgen inc mod {left} == 0 ")
        } else {
            String::new()
        };
        let (address, port) = (service.ip(), service.port());
        script.push_str(&format!(
            "add rule {family} insight services {family} daddr {address} tcp dport {port} {turn}dnat to {backend}\n"
        ));
    }
    match namespace {
        Some(namespace) => namespace.nft(&script),
        None => nft(&script),
    }
}

fn nft(script: &str) -> Result<()> {
    let output = Command::new("nft")
        .arg(script)
        .output()
        .context("run `nft`; it is in the package nftables")?;
    ensure!(
        output.status.success(),
        "`nft {script}` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Lets a pod send what is for `service` somewhere at all: where its packets are translated before they leave, any way will do.
pub fn route(pod: &Namespace, service: IpAddr) -> Result<()> {
    pod.ip(&["route", "replace", &whole(service), "dev", "eth0"])
}

/// Sends what a pod has for `address` over the node.
pub fn route_by_node(pod: &Namespace, address: IpAddr) -> Result<()> {
    let gateway = match address {
        IpAddr::V4(_) => IpAddr::V4(GATEWAY_V4),
        IpAddr::V6(_) => IpAddr::V6(GATEWAY_V6),
    };
    pod.ip(&[
        "route",
        "replace",
        &whole(address),
        "via",
        &gateway.to_string(),
    ])
}

fn whole(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

/// Makes this thread, and what it starts from now on, a node of its own: a network namespace that forwards. For a test's own thread.
pub fn become_node() -> Result<()> {
    // SAFETY: no descriptors or memory are unshared, only the network namespace of this thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.context("make a network namespace")?;
    ip(&["link", "set", "lo", "up"])?;
    for (key, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv4/conf/all/send_redirects", "0"),
        ("ipv4/conf/default/send_redirects", "0"),
    ] {
        // Of the network namespace of whoever writes.
        let path = format!("/proc/sys/net/{key}");
        std::fs::write(&path, value).with_context(|| format!("write {path}"))?;
    }
    Ok(())
}

/// Plugs this thread's node into a network, as the gateway.
pub fn plug_node(net: &Net) -> Result<()> {
    net.attach_node("node0")?;
    let v4 = format!("{GATEWAY_V4}/24");
    ip(&["addr", "add", &v4, "dev", "node0"])?;
    ip(&["link", "set", "node0", "up"])
}

fn ip(args: &[&str]) -> Result<()> {
    crate::net::ip(args)
}
