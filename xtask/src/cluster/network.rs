//! The cluster's network on this machine: a bridge with the nodes on it, and no way out.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::layout::{
    BRIDGE, HOST, HOST_V6, NODE_RANGES, NODES, Node, POD_RANGES, SERVICE_RANGES, TABLE,
};
use crate::cargo;

/// Drops what would be forwarded between the cluster and anything else, whatever forwards: a ClusterIP is just an address to every
/// machine without kube-proxy's rules, and would leave by the default route.
fn wall() -> String {
    format!(
        "table inet {TABLE} {{\n\
         \tchain forward {{\n\
         \t\ttype filter hook forward priority -200; policy accept;\n\
         \t\tiifname \"{BRIDGE}\" oifname != \"{BRIDGE}\" drop\n\
         \t\toifname \"{BRIDGE}\" iifname != \"{BRIDGE}\" drop\n\
         \t}}\n\
         }}\n"
    )
}

/// Builds it. The wall comes first, before there is anything to keep in.
pub(crate) fn build() -> Result<()> {
    for range in [NODE_RANGES[0], POD_RANGES[0], SERVICE_RANGES[0]] {
        // Those inside of it, and those around it.
        for which in ["root", "match"] {
            let routes = ip(&["route", "show", which, range])?;
            if let Some(route) = routes.lines().find(|route| !route.starts_with("default")) {
                bail!("the cluster's range {range} is in use on this machine: {route}");
            }
        }
    }
    raise_wall()?;
    // What no node takes ends here.
    for range in POD_RANGES.iter().chain(&SERVICE_RANGES) {
        ip(&["route", "add", "blackhole", range])?;
    }
    ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    set(BRIDGE, "disable_ipv6", "0")?;
    for (address, mask) in [(HOST, "24"), (HOST_V6, "64")] {
        let address = format!("{address}/{mask}");
        // "nodad" is for IPv6, and means nothing to IPv4: the address is there at once.
        ip(&["addr", "add", &address, "dev", BRIDGE, "nodad"])?;
    }
    ip(&["link", "set", BRIDGE, "up"])?;
    NODES.iter().try_for_each(plug_in)?;
    NODES.iter().try_for_each(routes)
}

fn plug_in(node: &Node) -> Result<()> {
    let (netns, cable) = (node.netns(), node.cable());
    ip(&["netns", "add", &netns])?;
    let pair = [
        "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &netns,
    ];
    ip(&pair)?;
    ip(&["link", "set", &cable, "master", BRIDGE, "up"])?;
    let keys = [
        "net/ipv4/ip_forward=1",
        "net/ipv6/conf/all/disable_ipv6=0",
        "net/ipv6/conf/default/disable_ipv6=0",
        "net/ipv6/conf/all/forwarding=1",
    ];
    for key in keys {
        let (key, value) = key.split_once('=').context("a key and a value")?;
        let script = format!("echo {value} > /proc/sys/{key}");
        ip(&["netns", "exec", &netns, "sh", "-c", &script])?;
    }
    let inside = |args: &[&str]| ip(&[&["-n", &netns], args].concat());
    inside(&["link", "set", "lo", "up"])?;
    for address in [
        format!("{}/24", node.address()),
        format!("{}/64", node.address_v6()),
    ] {
        inside(&["addr", "add", &address, "dev", "eth0", "nodad"])?;
    }
    inside(&["link", "set", "eth0", "up"])?;
    // As on a real node. What takes it meets the wall.
    inside(&["route", "add", "default", "via", HOST])?;
    inside(&["route", "add", "default", "via", HOST_V6])?;
    Ok(())
}

/// Each node, and this machine, reaches a node's pods through that node.
fn routes(to: &Node) -> Result<()> {
    let ways = [to.address(), to.address_v6()];
    for (pods, way) in to.pods().iter().zip(&ways) {
        ip(&["route", "add", pods, "via", way])?;
        for from in NODES.iter().filter(|from| from.number != to.number) {
            ip(&["-n", &from.netns(), "route", "add", pods, "via", way])?;
        }
    }
    Ok(())
}

/// Removes what is there of it, and gives back what could not be removed. The wall goes last.
pub(crate) fn remove() -> Vec<anyhow::Error> {
    let mut problems = Vec::new();
    let mut must = |result: Result<String>| problems.extend(result.err());
    for node in &NODES {
        if netns_file(node).exists() {
            must(ip(&["netns", "delete", &node.netns()]));
        }
    }
    let cables = NODES.iter().map(Node::cable);
    for device in cables.chain([BRIDGE.to_owned()]) {
        if device_exists(&device) {
            let deleted = ip(&["link", "delete", &device]);
            // A cable's end goes with its other end's namespace, a moment after that.
            if deleted.is_err() && device_exists(&device) {
                must(deleted);
            }
        }
    }
    for range in POD_RANGES.iter().chain(&SERVICE_RANGES) {
        if ip(&["route", "show", "type", "blackhole", "exact", range])
            .is_ok_and(|found| !found.is_empty())
        {
            must(ip(&["route", "delete", "blackhole", range]));
        }
    }
    if list_table().is_ok() {
        must(nft(&format!("delete table inet {TABLE}\n")).map(|()| String::new()));
    }
    problems
}

/// Whether the wall stands, with both its sides.
pub(crate) fn has_wall() -> bool {
    list_table().is_ok_and(|rules| rules.matches(" drop").count() == 2)
}

/// Builds the wall anew where it does not stand: an unfinished one may, or somebody has flushed all rules.
pub(crate) fn raise_wall() -> Result<()> {
    if has_wall() {
        return Ok(());
    }
    // Made if it is not there, so that it can be deleted: in one transaction.
    nft(&format!(
        "table inet {TABLE} {{}}\ndelete table inet {TABLE}\n{}",
        wall()
    ))
}

fn list_table() -> Result<String> {
    cargo::answer(Command::new("nft").args(["list", "table", "inet", TABLE]))
}

/// Whether there is anything of it.
pub(crate) fn is_there() -> bool {
    device_exists(BRIDGE)
        || list_table().is_ok()
        || NODES.iter().any(|node| netns_file(node).exists())
}

/// A node's network namespace, to be entered.
pub(crate) fn open(node: &Node) -> Result<File> {
    let path = netns_file(node);
    File::open(&path).with_context(|| format!("open {}", path.display()))
}

fn netns_file(node: &Node) -> std::path::PathBuf {
    std::path::Path::new("/run/netns").join(node.netns())
}

fn device_exists(name: &str) -> bool {
    std::path::Path::new("/sys/class/net").join(name).exists()
}

fn set(device: &str, key: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/ipv6/conf/{device}/{key}");
    std::fs::write(&path, value).with_context(|| format!("write {value} to {path}"))
}

fn ip(args: &[&str]) -> Result<String> {
    let family = args.iter().any(|arg| arg.contains("fd00:"));
    let mut command = Command::new("ip");
    if family {
        command.arg("-6");
    }
    cargo::answer(command.args(args)).context("use 'ip' (package iproute2)")
}

fn nft(script: &str) -> Result<()> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("run 'nft' (package nftables)")?;
    let mut stdin = child.stdin.take().context("standard input is piped")?;
    stdin
        .write_all(script.as_bytes())
        .context("write to 'nft'")?;
    drop(stdin);
    let status = child.wait().context("wait for 'nft'")?;
    ensure!(status.success(), "'nft' refused ({status}):\n{script}");
    Ok(())
}
