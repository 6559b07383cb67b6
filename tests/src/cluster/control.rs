//! An API server of a test's own, with a store of its own: one that may be stopped, halted and started again while others use the cluster.
//! There are no nodes: what is created stays as it is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use super::Cluster;
use crate::process::{Place, Process};
use crate::product::{free_port, run_once};
use crate::wait::{PATIENCE, eventually};

/// The token of a user who may do all.
const TOKEN: &str = "all-is-allowed";

/// etcd and kube-apiserver on 127.0.0.1.
pub struct ControlPlane {
    programs: PathBuf,
    /// The API server's port of 127.0.0.1.
    pub port: u16,
    etcd_port: u16,
    server: Option<Process>,
    etcd: Option<Process>,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts them from the cluster's programs, and waits until the API server is ready.
    pub fn start(cluster: &Cluster) -> Result<Self> {
        let programs = cluster.kubectl.parent().context("a folder of programs")?;
        let folder = TempDir::with_prefix("insight-control-")?;
        let (etcd_port, port) = (free_port()?, free_port()?);
        let key = run_once(words(
            "openssl",
            &["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
        ))?;
        fs::write(folder.path().join("key.pem"), key.stdout()?)?;
        fs::write(
            folder.path().join("tokens.csv"),
            format!("{TOKEN},admin,admin,system:masters\n"),
        )?;
        let mut control = Self {
            programs: programs.to_owned(),
            etcd_port,
            port,
            server: None,
            etcd: None,
            folder,
        };
        control.start_etcd("etcd")?;
        control.start_server_at(port)?;
        Ok(control)
    }

    /// Starts it all anew with an empty store, as after a backup of long ago was restored.
    pub fn begin_anew(&mut self) -> Result<()> {
        self.kill_server()?;
        self.etcd = None;
        self.start_etcd("another-etcd")?;
        self.start_server_at(self.port)
    }

    fn start_etcd(&mut self, data: &str) -> Result<()> {
        let own = format!("http://127.0.0.1:{}", self.etcd_port);
        let peers = format!("http://127.0.0.1:{}", free_port()?);
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(self.folder.path().join(data));
        command.args(["--listen-client-urls", &own]);
        command.args(["--advertise-client-urls", &own]);
        // One that is thrown away need not be durable.
        command.args(["--listen-peer-urls", &peers, "--unsafe-no-fsync"]);
        command.stderr(log(self.folder.path(), "etcd.log")?);
        self.etcd = Some(Process::start("etcd", command, Place::default())?);
        Ok(())
    }

    /// Starts an API server over what is stored, after [`Self::kill_server`], and waits until it is ready.
    pub fn start_server_at(&mut self, port: u16) -> Result<()> {
        ensure!(self.server.is_none(), "the API server runs already");
        self.port = port;
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new(self.programs.join("kube-apiserver"));
        command.args([
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.port),
            // A loopback address is no endpoint of a Service, and nobody asks for it.
            "--endpoint-reconciler-type=none".to_owned(),
            "--service-cluster-ip-range=10.97.0.0/16".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", file("key.pem")),
            format!("--service-account-signing-key-file={}", file("key.pem")),
            format!("--token-auth-file={}", file("tokens.csv")),
            format!("--cert-dir={}", file("certificates")),
            "--authorization-mode=RBAC".to_owned(),
            // Nobody makes the accounts that it wants pods to have.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ]);
        command.stderr(log(self.folder.path(), "kube-apiserver")?);
        let mut server = Process::start("kube-apiserver", command, Place::default())?;
        let what = "the API server to be ready";
        eventually(PATIENCE, what, || {
            server.expect_running()?;
            // Its certificate is made first.
            fs::write(self.kubeconfig(), self.kubeconfig_of(TOKEN)?)?;
            let answer = self.kubectl(&["get", "--raw=/readyz", "--request-timeout=5s"])?;
            ensure!(answer == "ok", "{answer}");
            Ok(())
        })
        .with_context(|| self.tail("kube-apiserver"))?;
        self.server = Some(server);
        Ok(())
    }

    /// Kills the API server. What it has stored stays.
    pub fn kill_server(&mut self) -> Result<()> {
        let server = self.server.take().context("the API server does not run")?;
        drop(server);
        Ok(())
    }

    /// Sends the API server a signal that it survives.
    pub fn signal_server(&self, signal: Signal) -> Result<()> {
        let server = self.server.as_ref();
        server
            .context("the API server does not run")?
            .signal(signal)
    }

    /// A kubeconfig of one who may do all.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// The text of a kubeconfig of whoever has this token.
    fn kubeconfig_of(&self, token: &str) -> Result<String> {
        let certificate = self.folder.path().join("certificates/apiserver.crt");
        ensure!(certificate.is_file(), "no {}", certificate.display());
        Ok(kubeconfig(
            &format!("https://127.0.0.1:{}", self.port),
            &format!("certificate-authority: {}", certificate.display()),
            token,
        ))
    }

    /// A kubeconfig of a service account that there is.
    pub fn kubeconfig_of_account(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let place = ["--namespace", namespace];
        let token = self.kubectl(&[&place[..], &["create", "token", name]].concat())?;
        let path = self.folder.path().join(format!("{namespace}-{name}"));
        fs::write(&path, self.kubeconfig_of(token.trim())?)?;
        Ok(path)
    }

    /// Runs kubectl as one who may do all, and gives what it printed; an error when it fails.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(self.programs.join("kubectl"));
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(args);
        run_once(command)?
            .stdout()
            .with_context(|| format!("kubectl {}", args.join(" ")))
    }

    /// Applies manifests.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        let path = self.folder.path().join("manifests.yaml");
        fs::write(&path, manifests)?;
        let path = path.to_str().context("a path is text")?;
        self.kubectl(&["apply", "-f", path]).map(drop)
    }

    fn tail(&self, name: &str) -> String {
        let text = fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// The text of a kubeconfig with one cluster and one user. `authority` is a line.
pub fn kubeconfig(server: &str, authority: &str, token: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: c
clusters: [{{name: c, cluster: {{server: \"{server}\", {authority}}}}}]
users: [{{name: c, user: {{token: \"{token}\"}}}}]
contexts: [{{name: c, context: {{cluster: c, user: c}}}}]
"
    )
}

fn log(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    let file = File::options().create(true).append(true).open(&path);
    file.with_context(|| format!("open {}", path.display()))
}

fn words(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}
