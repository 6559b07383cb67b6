//! Brings the cluster up: each step does what is missing, so a second run does nothing, and one after a crash the rest.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::config::{self, fill};
use super::image::{self, Image};
use super::layout::{
    self, DNS, HOST, HOST_V6, NODE_RANGES, NODES, POD_RANGES, SERVICE_RANGES, STATE,
};
use super::programs::Programs;
use super::status::{self, Status};
use super::{control, down, network, node};
use crate::patience::pause;

/// How long until all nodes are ready and names are answered; 20 s on two idle processors.
const READY: Duration = Duration::from_secs(240);
/// The kernel's number for this boot: after another one, what state files say of processes is wrong.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// Tells the cluster's CoreDNS from a later one.
const COREDNS_TAG: &str = "1";

/// Does it, as root, with the programs that were built before.
pub(crate) fn run(programs: &Programs) -> Result<()> {
    let start = Instant::now();
    let stamp = stamp(programs)?;
    let stamp_file = Path::new(STATE).join("stamp");
    let before = fs::read_to_string(&stamp_file).ok();
    if before.as_ref() == Some(&stamp) {
        if Status::look().is_up() {
            println!("the cluster is up already");
            describe()?;
            println!("{}", status::usage());
            return Ok(());
        }
    } else if before.is_some() || down::is_something_there()? {
        println!("removing what another boot or version has left");
        down::remove()?;
    }
    config::write(&stamp_file, &stamp)?;
    link(&programs.kubernetes)?;

    println!(
        "network: {} for nodes, nothing leads outside",
        NODE_RANGES[0]
    );
    network::raise_wall()?;
    let built = Path::new(STATE).join("network");
    if !built.exists() {
        if let Some(problem) = network::remove().into_iter().next() {
            return Err(problem.context("remove an unfinished network"));
        }
        network::build().context("build the cluster's network")?;
        config::write(&built, "")?;
    }
    println!("control plane: etcd, API server, controller manager, scheduler");
    control::start()?;
    for node in &NODES {
        let [pods, pods_v6] = node.pods();
        let values = [
            ("name", node.name),
            ("zone", node.zone),
            ("pods", pods.as_str()),
            ("pods-v6", pods_v6.as_str()),
        ];
        // Before its kubelet makes it, which would not know its pods' addresses.
        control::apply(&fill(config::NODE, &values))?;
    }
    nodes(programs)?;
    let values = [("version", COREDNS_TAG), ("dns", DNS)];
    control::apply(&fill(config::COREDNS, &values))?;
    wait()?;
    describe()?;
    println!(
        "the cluster is up after {:.0} s",
        start.elapsed().as_secs_f64()
    );
    println!("{}", status::usage());
    Ok(())
}

fn nodes(programs: &Programs) -> Result<()> {
    let coredns = format!("coredns:{COREDNS_TAG}");
    let wanted = [image::PAUSE, image::BUSYBOX, &coredns].map(str::to_owned);
    let mut images: Vec<Image> = Vec::new();
    for node in &NODES {
        println!("{}: containerd, kubelet, kube-proxy", node.name);
        node::start_runtime(node)?;
        if !image::has(node, &wanted)? {
            if images.is_empty() {
                images.extend(image::of_busybox()?);
                images.push(image::of_program(
                    &coredns,
                    &programs.coredns.join("coredns"),
                )?);
            }
            images.iter().try_for_each(|image| image.import(node))?;
        }
        node::start(node)?;
    }
    Ok(())
}

fn wait() -> Result<()> {
    println!("waiting for the nodes and for CoreDNS");
    let end = Instant::now() + READY;
    loop {
        let status = Status::look();
        let Some(problem) = status.problem() else {
            return Ok(());
        };
        if Instant::now() > end {
            bail!(
                "after {} s: {problem}; logs are in {STATE}/log",
                READY.as_secs()
            );
        }
        pause();
    }
}

/// What is running: this boot's processes, of these programs.
fn stamp(programs: &Programs) -> Result<String> {
    let boot = fs::read_to_string(BOOT).with_context(|| format!("read {BOOT}"))?;
    let (one, other) = (programs.kubernetes.display(), programs.coredns.display());
    Ok(format!("{boot}{one}\n{other}\n"))
}

fn link(programs: &Path) -> Result<()> {
    let link = layout::programs();
    if link.symlink_metadata().is_err() {
        symlink(programs, &link).with_context(|| format!("make {}", link.display()))?;
    }
    Ok(())
}

/// Tells programs, as the tests' harness, all they need to know.
fn describe() -> Result<()> {
    let nodes = NODES.iter().map(|node| {
        json!({
            "name": node.name,
            "zone": node.zone,
            "addresses": [node.address(), node.address_v6()],
            "pods": node.pods(),
            "cgroup": node.cgroup(),
            "processes_cgroup": node.runtime(),
            "process": node::process(node),
            "static_pods": node::static_pods(node),
        })
    });
    let about = json!({
        "kubeconfig": layout::kubeconfig(),
        "kubectl": layout::programs().join("kubectl"),
        "host": [HOST, HOST_V6],
        "node_ranges": NODE_RANGES,
        "pod_ranges": POD_RANGES,
        "service_ranges": SERVICE_RANGES,
        "nodes": nodes.collect::<Vec<_>>(),
    });
    config::write(&layout::description(), &format!("{about:#}\n"))
}
