//! Runs aggregator and agent on this host and shows the live graph, until Ctrl-C.

mod duration;
mod parts;
mod ports;
mod ready;
mod service;
pub(crate) mod tied;
mod view;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::root::Root;
use crate::setup::{self, needs};
use crate::{bpf, build, patience, signals};
use parts::Parts;

/// Arguments of `cargo xtask up`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also run a small workload that talks, so that the graph is never empty
    #[arg(long)]
    demo: bool,
    /// Stop after this time (30s, 5m) and print the graph once more
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    limit: Option<Duration>,
    /// A kubeconfig: names come from the cluster of its current context [default: from what KUBECONFIG names, if it is set]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Where the aggregator serves HTTP
    #[arg(long, default_value = "127.0.0.1:7700")]
    http: SocketAddr,
    /// Where the aggregator serves gRPC
    #[arg(long, default_value = "127.0.0.1:7701")]
    grpc: SocketAddr,
    /// Where the agent serves its status
    #[arg(long, default_value = "127.0.0.1:7702")]
    agent: SocketAddr,
}

/// How long a program may take to be ready: the aggregator reads its store, the agent loads its programs; both take a second or two.
const READY: Duration = Duration::from_secs(60);
/// How often sudo is told that we are still here: it forgets the password after some minutes, and we need it once more to stop the agent.
const SUDO_RENEWAL: Duration = Duration::from_secs(60);

/// Sets up, builds, starts, shows, stops.
pub(crate) fn run(args: &Args) -> Result<()> {
    let project = Project::find()?;
    setup::require(&project, if args.demo { needs::PODS } else { needs::BPF })?;
    ports::free(&[
        ("--http", args.http),
        ("--grpc", args.grpc),
        ("--agent", args.agent),
    ])?;
    Root::obtain("the agent")?;
    let object = bpf::build(&project)?;
    build::programs(&project, true, Some(&object))?;
    // Again: while a slow machine builds, sudo forgets the password.
    let root = Root::obtain("the agent")?;

    signals::catch()?;
    let mut parts = Parts::new(&project, root)?;
    let shown = show(args, &project, root, &mut parts);
    let stopped = parts.stop();
    shown?;
    stopped?;
    println!("stopped; nothing is left running or attached");
    Ok(())
}

fn show(args: &Args, project: &Project, root: Root, parts: &mut Parts) -> Result<()> {
    parts.aggregator(args)?;
    become_ready(parts, "aggregator", args.http)?;
    parts.agent(args)?;
    become_ready(parts, "agent", args.agent)?;
    if args.demo {
        parts.demo()?;
    }
    println!("graph       http://{}/v1/graph", args.http);
    println!("metrics     http://{}/metrics", args.http);
    println!("gRPC        http://{}", args.grpc);
    println!("agent       http://{}/status", args.agent);
    println!("logs        {}", parts.logs().display());
    println!("Ctrl-C stops it all");

    let end = args.limit.map(|limit| Instant::now() + limit);
    let mut renewed = Instant::now();
    let mut watch = view::Watch::start(project, args)?;
    while !signals::asked_to_stop() && end.is_none_or(|end| Instant::now() < end) {
        parts.all_alive()?;
        if watch.ended()? {
            break;
        }
        if renewed.elapsed() > SUDO_RENEWAL {
            root.renew();
            renewed = Instant::now();
        }
        patience::pause();
    }
    watch.stop()?;
    if end.is_some() {
        view::table(project, args)?;
    }
    Ok(())
}

fn become_ready(parts: &mut Parts, name: &str, address: SocketAddr) -> Result<()> {
    println!("waiting for the {name} on {address}");
    let end = Instant::now() + READY;
    while !ready::is_ready(address) {
        parts.all_alive()?;
        if signals::asked_to_stop() {
            bail!("stopped while the {name} was starting");
        }
        if Instant::now() > end {
            let log = parts.last_lines(name).context("read its log")?;
            bail!(
                "the {name} runs, but http://{address}/readyz has not answered 200 within {} s; its log ends:\n{log}",
                READY.as_secs()
            );
        }
        patience::pause();
    }
    Ok(())
}
