//! The programs of `up`, in the order in which they were started.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Args;
use super::service::Service;
use crate::cargo::search_path;
use crate::project::Project;
use crate::root::Root;

/// What runs.
pub(crate) struct Parts {
    programs: PathBuf,
    store: PathBuf,
    logs: PathBuf,
    root: Root,
    services: Vec<Service>,
}

impl Parts {
    /// Nothing yet.
    pub(crate) fn new(project: &Project, root: Root) -> Result<Self> {
        let logs = project.target.join("up");
        std::fs::create_dir_all(&logs).with_context(|| format!("create {}", logs.display()))?;
        Ok(Self {
            programs: project.programs(true),
            // Kept between runs: the graph of yesterday can be asked for.
            store: project.target.join("up-store"),
            logs,
            root,
            services: Vec::new(),
        })
    }

    /// The folder of the logs.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Starts the aggregator, as ourselves.
    pub(crate) fn aggregator(&mut self, args: &Args) -> Result<()> {
        let mut command = std::process::Command::new(self.programs.join("insight-aggregator"));
        command
            .arg("serve")
            .args(["--http", &args.http.to_string()])
            .args(["--grpc", &args.grpc.to_string()])
            .args(["--store", &format!("embedded:{}", self.store.display())]);
        if let Some(kubeconfig) = &args.kubeconfig {
            command.arg("--kubernetes").arg(kubeconfig);
        }
        self.start("aggregator", command, None)
    }

    /// Starts the agent, as root.
    pub(crate) fn agent(&mut self, args: &Args) -> Result<()> {
        let mut command = self.root.background(self.programs.join("insight-agent"));
        let node = rustix::system::uname();
        command
            .arg("run")
            .args(["--aggregator", &format!("http://{}", args.grpc)])
            .args(["--node-name", &node.nodename().to_string_lossy()])
            .args(["--listen", &args.agent.to_string()])
            // Ctrl-C leaves nothing attached, not even for the next run.
            .args(["--pin-dir", "off"]);
        self.start("agent", command, Some(self.root))
    }

    /// Starts the demo workload, as root: it makes network namespaces and cgroups.
    pub(crate) fn demo(&mut self) -> Result<()> {
        let mut command = self.root.background(self.programs.join("insight-demo"));
        command.env("PATH", search_path());
        self.start("demo", command, Some(self.root))
    }

    fn start(
        &mut self,
        name: &'static str,
        command: std::process::Command,
        root: Option<Root>,
    ) -> Result<()> {
        let log = self.logs.join(format!("{name}.log"));
        let service = Service::start(name, command, log, root)?;
        self.services.push(service);
        Ok(())
    }

    /// Fails with the end of the log of the first program that has ended by itself.
    pub(crate) fn all_alive(&mut self) -> Result<()> {
        for service in &mut self.services {
            if let Some(status) = service.ended()? {
                bail!(
                    "the {} ended by itself ({status}); its log {} ends:\n{}",
                    service.name(),
                    service.log().display(),
                    service.last_lines()?
                );
            }
        }
        Ok(())
    }

    /// The end of a program's log.
    pub(crate) fn last_lines(&self, name: &str) -> Result<String> {
        let service = self.services.iter().find(|service| service.name() == name);
        service
            .with_context(|| format!("the {name} was not started"))?
            .last_lines()
    }

    /// Stops all, the last started first, and fails when something had to be killed or is still there.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let mut problems = Vec::new();
        while let Some(mut service) = self.services.pop() {
            println!("stopping the {}", service.name());
            if let Err(error) = service.stop() {
                problems.push(format!("{error:#}"));
            }
        }
        ensure!(problems.is_empty(), "{}", problems.join("\n"));
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("error: {error:#}");
        }
    }
}
