//! A node: containerd, kubelet and kube-proxy in namespaces of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::component::Component;
use super::layout::{DNS, INSIDE, Node, POD_RANGES};
use super::{cgroups, config, layout, place};
use crate::cargo;

/// How long containerd may take; it does in a second.
const READY: Duration = Duration::from_secs(60);
/// Where distributions put the network plugins.
const CNI_FOLDERS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];
const CONTAINERD: &str = "containerd";

/// What a node's components are called, after its name.
pub(crate) const COMPONENTS: [&str; 3] = [CONTAINERD, "kubelet", "kube-proxy"];

/// One of a node's components.
pub(crate) fn component(node: &Node, name: &str) -> Component {
    Component::new(format!("{}/{name}", node.name))
}

/// A process that is in the node's namespaces, if it runs.
pub(crate) fn process(node: &Node) -> Option<u32> {
    let mut components = COMPONENTS.iter();
    components.find_map(|name| component(node, name).running())
}

/// Makes the node and starts containerd in it, unless it runs.
pub(crate) fn start_runtime(node: &Node) -> Result<()> {
    cgroups::make(&node.runtime())?;
    configure(node)?;
    let programs = std::fs::canonicalize(layout::programs()).context("find the programs")?;
    let containerd = component(node, CONTAINERD);
    containerd.ensure(|| {
        let mut command = Command::new(CONTAINERD);
        command.arg("--config");
        command.arg(format!("{INSIDE}/etc/containerd.toml"));
        match process(node) {
            Some(other) => place::further(&mut command, node, other)?,
            None => {
                // As after a crash of a machine: containers of its last life are nobody's.
                cgroups::kill(&node.cgroup())?;
                place::first(&mut command, node, &programs)?;
            }
        }
        Ok(command)
    })?;
    containerd.wait("does not answer", READY, || ctr(node, &["version"]).is_ok())
}

/// Starts the rest of it, unless it runs.
pub(crate) fn start(node: &Node) -> Result<()> {
    let kubeconfig = format!("--kubeconfig={INSIDE}/etc/kubeconfig");
    let own = |name: &str, args: &[String]| -> Result<Command> {
        let mut command = Command::new(format!("{INSIDE}/bin/{name}"));
        command.arg(&kubeconfig).args(args);
        command.arg(format!("--hostname-override={}", node.name));
        enter(&mut command, node)?;
        Ok(command)
    };
    component(node, "kubelet").ensure(|| {
        let args = [
            format!("--config={INSIDE}/etc/kubelet.yaml"),
            format!("--node-ip={},{}", node.address(), node.address_v6()),
        ];
        own("kubelet", &args)
    })?;
    component(node, "kube-proxy").ensure(|| {
        let args = [
            "--proxy-mode=nftables".to_owned(),
            format!("--cluster-cidr={}", POD_RANGES.join(",")),
            "--oom-score-adj=0".to_owned(),
            // They are the whole machine's, not a node's.
            "--conntrack-max-per-core=0".to_owned(),
            "--conntrack-tcp-timeout-established=0".to_owned(),
            "--conntrack-tcp-timeout-close-wait=0".to_owned(),
        ];
        own("kube-proxy", &args)
    })?;
    Ok(())
}

/// Lets a command run on the node, as a process of the node's own: outside of all pods.
pub(crate) fn enter(command: &mut Command, node: &Node) -> Result<()> {
    let process = process(node).with_context(|| {
        format!(
            "{} does not run: 'cargo xtask cluster up' starts it",
            node.name
        )
    })?;
    place::further(command, node, process)
}

/// Asks the node's containerd.
pub(crate) fn ctr(node: &Node, args: &[&str]) -> Result<String> {
    let mut command = Command::new("ctr");
    command.args(["--namespace", "k8s.io"]).args(args);
    enter(&mut command, node)?;
    cargo::answer(&mut command)
}

fn configure(node: &Node) -> Result<()> {
    let (etc, var) = (node.folder().join("etc"), node.folder().join("var"));
    let [pods, pods_v6] = node.pods();
    let (name, cni) = (format!("pods-of-{}", node.name), cni_folder()?);
    let write = |file: &str, template: &str, values: &[(&str, &str)]| {
        config::write(&etc.join(file), &config::fill(template, values))
    };
    write("containerd.toml", config::CONTAINERD, &[("cni", cni)])?;
    let values = [
        ("name", name.as_str()),
        ("pods", pods.as_str()),
        ("pods-v6", pods_v6.as_str()),
    ];
    write("cni/10-bridge.conflist", config::CNI, &values)?;
    write("kubelet.yaml", config::KUBELET, &[("dns", DNS)])?;
    write("resolv.conf", "", &[])?;
    for (key, value) in place::KUBELETS_SYSCTLS {
        write(&place::sysctl_file(key), value, &[])?;
    }
    let kubeconfig =
        std::fs::read_to_string(layout::kubeconfig()).context("read the kubeconfig")?;
    write("kubeconfig", &kubeconfig, &[])?;
    for folder in ["lib/kubelet/manifests", "lib/containerd", "log", "tmp"] {
        let folder = var.join(folder);
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let link = var.join("run");
    if link.symlink_metadata().is_err() {
        std::os::unix::fs::symlink("/run", &link).context("link /var/run")?;
    }
    Ok(())
}

fn cni_folder() -> Result<&'static str> {
    let found = |folder: &&str| Path::new(folder).join("bridge").is_file();
    match CNI_FOLDERS.into_iter().find(found) {
        Some(folder) => Ok(folder),
        None => bail!("no network plugin 'bridge' in {}", CNI_FOLDERS.join(" or ")),
    }
}

/// Where static pods of a node are put, as this machine sees it.
pub(crate) fn static_pods(node: &Node) -> PathBuf {
    node.folder().join("var/lib/kubelet/manifests")
}
