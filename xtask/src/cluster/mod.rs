//! A real Kubernetes cluster on this machine: a control plane and two nodes, each in namespaces of its own.

mod cgroups;
mod component;
mod config;
mod control;
mod digest;
mod down;
mod image;
mod kubectl;
mod layout;
mod network;
mod node;
mod place;
mod programs;
mod status;
mod up;

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;
use crate::project::Project;
use crate::root::Root;
use crate::setup::{self, needs};
use image::Image;
pub(crate) use programs::{Programs, cache};

const EXAMPLES: &str = "Examples:
  cargo xtask cluster up
  export KUBECONFIG=/var/lib/insight-cluster/kubeconfig PATH=/var/lib/insight-cluster/bin:$PATH
  kubectl get nodes
  cargo xtask cluster enter node-a -- ip address
  cargo xtask cluster image demo:1 FOLDER -- /bin/demo --flag
  cargo xtask cluster down

It takes the addresses 10.90.0.0/16, 10.96.0.0/16 and 10.99.0.0/24 of this machine, and about 1 GB of memory. Nothing of it reaches
anything outside. Who has a cluster already, or kind, needs none of this: give Insight that cluster's kubeconfig.";

/// Arguments of `cargo xtask cluster`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Install and build what is missing, start what does not run, wait until it is ready
    Up {
        /// The folders of the programs, built before
        #[arg(long, hide = true, num_args = 2)]
        built: Option<Vec<PathBuf>>,
    },
    /// End it and remove all of it, also after a crash or half a start
    Down,
    /// Say what runs and how to use it; fails when it is not up
    Status,
    /// Run a command as a process of a node: in its namespaces and its cgroup, outside of all pods
    Enter {
        /// node-a or node-b
        node: String,
        /// The command and its arguments, after --
        #[arg(required = true, last = true)]
        command: Vec<String>,
    },
    /// Make an image from a folder and give it to all nodes, as localhost/NAME:TAG
    Image {
        /// NAME:TAG
        name: String,
        /// What becomes the image's root
        folder: PathBuf,
        /// What it runs, after --
        #[arg(required = true, last = true)]
        command: Vec<String>,
    },
}

/// Does what was asked.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::Up { built } => match built.as_deref() {
            Some([kubernetes, coredns]) => {
                let _lock = lock()?;
                up::run(&Programs {
                    kubernetes: kubernetes.clone(),
                    coredns: coredns.clone(),
                })
            }
            _ => {
                let project = Project::find()?;
                setup::require(&project, needs::CLUSTER)?;
                bring_up(&programs(&project)?)
            }
        },
        Verb::Down => take_down(),
        Verb::Status => as_root(&["status"], status::run),
        Verb::Enter { node, command } => {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let again = [&["enter", node, "--"], &words[..]].concat();
            as_root(&again, || enter(node, command))
        }
        Verb::Image {
            name,
            folder,
            command,
        } => {
            let folder = folder
                .canonicalize()
                .with_context(|| format!("find {}", folder.display()))?;
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let path = folder.to_str().context("a path is text")?;
            let again = [&["image", name, path, "--"], &words[..]].concat();
            as_root(&again, || {
                let image = Image::new(name, &folder, command)?;
                layout::NODES
                    .iter()
                    .try_for_each(|node| image.import(node))?;
                println!("{}", image.name);
                Ok(())
            })
        }
    }
}

/// Finds the cluster's own programs, or builds them, as who we are.
pub(crate) fn programs(project: &Project) -> Result<Programs> {
    Programs::obtain(project)
}

/// Starts what does not run and waits until it is ready, as root.
pub(crate) fn bring_up(programs: &Programs) -> Result<()> {
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    let (kubernetes, coredns) = (path(&programs.kubernetes), path(&programs.coredns));
    as_root(&["up", "--built", &kubernetes, &coredns], || {
        let _lock = lock()?;
        up::run(programs)
    })
}

/// Removes it, if there is anything of it.
pub(crate) fn take_down() -> Result<()> {
    as_root(&["down"], || {
        let _lock = lock()?;
        down::run()
    })
}

/// Whether somebody has brought a cluster up here; it may be half of one.
pub(crate) fn exists() -> bool {
    Path::new(layout::STATE).exists()
}

/// Whether anything of a cluster is on this machine. For root.
pub(crate) fn leaves_something() -> Result<bool> {
    down::is_something_there()
}

/// Does it here when we are root, else by this program's own verb as root.
fn as_root(again: &[&str], here: impl FnOnce() -> Result<()>) -> Result<()> {
    match Root::obtain("the cluster")? {
        Root::Already => here(),
        sudo @ Root::Sudo => {
            let own = std::env::current_exe().context("find this program")?;
            cargo::run(sudo.command(own, &[]).arg("cluster").args(again))
        }
    }
}

/// Two at once would start everything twice.
fn lock() -> Result<File> {
    let path = "/run/lock/insight-cluster";
    let file = File::create(path).with_context(|| format!("open {path}"))?;
    file.lock().with_context(|| format!("lock {path}"))?;
    Ok(file)
}

fn enter(name: &str, words: &[String]) -> Result<()> {
    let node = layout::node(name).with_context(|| {
        let names = layout::NODES.map(|node| node.name);
        format!("there is no node '{name}', but {}", names.join(" and "))
    })?;
    let (program, args) = words.split_first().context("a command has a name")?;
    let mut command = Command::new(program);
    command.args(args);
    node::enter(&mut command, node)?;
    // Its end is then our end, and signals reach it.
    Err(command.exec()).with_context(|| format!("run '{}' on {name}", words.join(" ")))
}
