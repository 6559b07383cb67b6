//! The control plane: four programs on this machine, beside the nodes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::component::Component;
use super::config;
use super::kubectl::{self, kubectl};
use super::layout::{self, API_PORT, CGROUP, HOST, SERVICE_RANGES, STATE};
use super::{cgroups, place};
use crate::cargo;

/// Not etcd's own ports, which an etcd of this machine may have.
const ETCD: &str = "http://127.0.0.1:23790";
const ETCD_PEERS: &str = "http://127.0.0.1:23800";
/// How long a part may take: the API server does in 4 s what a busy small machine does in a minute.
const READY: Duration = Duration::from_secs(120);

/// The names of its components.
pub(crate) const COMPONENTS: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// The cgroup of the control plane.
fn cgroup() -> String {
    format!("{CGROUP}/control")
}

/// Starts what does not run of it, and waits until the API server answers.
pub(crate) fn start() -> Result<()> {
    cgroups::make(&cgroup())?;
    secrets()?;
    Component::new(COMPONENTS[0]).ensure(|| {
        let folder = folder().join("etcd");
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        // etcd insists.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let mut etcd = Command::new("etcd");
        etcd.arg("--data-dir").arg(&folder);
        etcd.args([
            "--listen-client-urls",
            ETCD,
            "--advertise-client-urls",
            ETCD,
        ]);
        etcd.args(["--listen-peer-urls", ETCD_PEERS, "--logger", "zap"]);
        place::outside(&mut etcd, &cgroup())?;
        Ok(etcd)
    })?;
    let server = Component::new(COMPONENTS[1]);
    server.ensure(api_server)?;
    server.wait("it has not made its certificate", READY, || {
        certificate().is_file()
    })?;
    kubeconfig()?;
    server.wait("its /readyz has not answered", READY, kubectl::api_ready)?;
    Component::new(COMPONENTS[2]).ensure(|| {
        let mut manager = client(COMPONENTS[2])?;
        manager.arg(flag(
            "service-account-private-key-file",
            &service_accounts(),
        ));
        manager.arg(flag("root-ca-file", &certificate()));
        Ok(manager)
    })?;
    Component::new(COMPONENTS[3]).ensure(|| client(COMPONENTS[3]))?;
    Ok(())
}

fn api_server() -> Result<Command> {
    let mut server = program(COMPONENTS[1]);
    let key = service_accounts();
    server.args([
        format!("--etcd-servers={ETCD}"),
        format!("--bind-address={HOST}"),
        format!("--advertise-address={HOST}"),
        format!("--secure-port={API_PORT}"),
        format!("--service-cluster-ip-range={}", SERVICE_RANGES.join(",")),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
    ]);
    server.args([
        flag("service-account-key-file", &key),
        flag("service-account-signing-key-file", &key),
        flag("cert-dir", &certificates()),
        flag("token-auth-file", &tokens()),
    ]);
    place::outside(&mut server, &cgroup())?;
    Ok(server)
}

/// A component that only asks the API server.
fn client(name: &str) -> Result<Command> {
    let mut command = program(name);
    command.arg(flag("kubeconfig", &layout::kubeconfig()));
    // Nobody asks it, and its port may be taken.
    command.args(["--leader-elect=false", "--secure-port=0"]);
    place::outside(&mut command, &cgroup())?;
    Ok(command)
}

/// A new cluster's key and token.
fn secrets() -> Result<()> {
    let (key, tokens) = (service_accounts(), tokens());
    fs::create_dir_all(certificates()).context("make the control plane's folder")?;
    if !key.is_file() {
        let text = cargo::answer(Command::new("openssl").args([
            "ecparam",
            "-name",
            "prime256v1",
            "-genkey",
            "-noout",
        ]))?;
        secret(&key, &format!("{text}\n"))?;
    }
    if !tokens.is_file() {
        let token = cargo::answer(Command::new("openssl").args(["rand", "-hex", "16"]))?;
        secret(&tokens, &format!("{token},admin,admin,system:masters\n"))?;
    }
    Ok(())
}

/// Writes what the API server's certificate and the token make.
fn kubeconfig() -> Result<()> {
    let authority = cargo::answer(Command::new("base64").arg("--wrap=0").arg(certificate()))?;
    let tokens = fs::read_to_string(tokens()).context("read the token")?;
    let token = tokens.split(',').next().unwrap_or_default();
    let port = API_PORT.to_string();
    let values = [
        ("host", HOST),
        ("port", &port),
        ("authority", &authority),
        ("token", token),
    ];
    let path = layout::kubeconfig();
    secret(&path, &config::fill(config::KUBECONFIG, &values))?;
    // For whoever became root to run us.
    let id = |name| std::env::var(name).ok()?.parse().ok();
    if let Some(user) = id("SUDO_UID") {
        chown(&path, Some(user), id("SUDO_GID")).context("hand the kubeconfig over")?;
    }
    Ok(())
}

fn secret(path: &Path, text: &str) -> Result<()> {
    config::write(path, "")?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("keep {} private", path.display()))?;
    config::write(path, text)
}

/// Applies manifests of the cluster's own.
pub(crate) fn apply(manifests: &str) -> Result<()> {
    kubectl(
        &["apply", "--server-side", "--filename", "-"],
        Some(manifests),
    )
    .map(drop)
}

fn program(name: &str) -> Command {
    Command::new(layout::programs().join(name))
}

fn flag(name: &str, value: &Path) -> String {
    format!("--{name}={}", value.display())
}

fn folder() -> PathBuf {
    Path::new(STATE).join("control")
}

fn certificates() -> PathBuf {
    folder().join("certificates")
}

/// Made by the API server for itself, and so its own authority.
fn certificate() -> PathBuf {
    certificates().join("apiserver.crt")
}

fn service_accounts() -> PathBuf {
    folder().join("service-accounts.pem")
}

fn tokens() -> PathBuf {
    folder().join("tokens.csv")
}
