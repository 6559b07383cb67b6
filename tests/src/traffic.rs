//! Runs `insight-load` in pods.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::load::client::Plan;
use crate::load::tally::Tally;
use crate::pod::{Container, Pod};
use crate::process::Process;
use crate::product::program;

/// Longest run of a client.
const RUN: Duration = Duration::from_secs(120);

/// Longest wait for one line.
const LINE: Duration = Duration::from_secs(30);

/// A command line of `insight-load`.
pub fn load<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Result<Command> {
    let mut command = Command::new(program("insight-load")?);
    for arg in args {
        command.arg(arg.as_ref());
    }
    Ok(command)
}

/// Starts a server in a pod's first container, on all addresses, and waits until it listens.
pub fn serve(pod: &Pod, port: u16) -> Result<Process> {
    serve_in(pod, &pod.container, port, &[])
}

/// Starts a server in a container with further flags, and waits until it listens.
pub fn serve_in(pod: &Pod, container: &Container, port: u16, flags: &[&str]) -> Result<Process> {
    let listen = format!("[::]:{port}");
    let args = [&["server", "--listen", &listen], flags].concat();
    let mut process = pod.spawn_in(container, "insight-load server", load(args)?)?;
    process.line(LINE)?;
    Ok(process)
}

/// Runs a client in a pod's first container to its end.
pub fn run_client(pod: &Pod, plan: &Plan) -> Result<Tally> {
    finish_client(start_client(pod, plan)?)
}

/// Starts a client in a pod's first container.
pub fn start_client(pod: &Pod, plan: &Plan) -> Result<Process> {
    start_client_in(pod, &pod.container, plan)
}

/// Starts a client in a container.
pub fn start_client_in(pod: &Pod, container: &Container, plan: &Plan) -> Result<Process> {
    pod.spawn_in(container, "insight-load client", load(plan.to_args())?)
}

/// Waits for a client's end, and for what it did.
pub fn finish_client(mut process: Process) -> Result<Tally> {
    let tally = Tally::from_json(&process.line(RUN)?)?;
    process.finish(RUN)?;
    Ok(tally)
}

/// Connects `count` times from a pod; each must end as `expected` (`refused`, `unreachable`, `timeout`, `abandoned`) says.
pub fn fail(pod: &Pod, expected: &str, to: SocketAddr, count: u64) -> Result<()> {
    let (to, count_text) = (to.to_string(), count.to_string());
    let args = [expected, "--to", &to, "--count", &count_text];
    let tally = finish_client(pod.spawn("insight-load", load(args)?)?)?;
    ensure!(tally.failed == count, "{expected}: {tally:?}");
    Ok(())
}

/// Connects once from a pod to each of `ports` ports that follow one another; each must be refused.
pub fn scan(pod: &Pod, first: SocketAddr, ports: u16) -> Result<()> {
    let (to, text) = (first.to_string(), ports.to_string());
    let args = ["refused", "--to", &to, "--count", "1", "--ports", &text];
    let tally = finish_client(pod.spawn("insight-load", load(args)?)?)?;
    ensure!(tally.failed == u64::from(ports), "{tally:?}");
    Ok(())
}

/// Where a pod listens.
pub fn at(address: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(address.into(), port)
}

/// Connections that stay open until this is closed or dropped.
pub struct Held {
    process: Process,
    /// What was done so far.
    pub tally: Tally,
}

impl Held {
    /// Opens connections from a pod, shared with so many children.
    pub fn open(pod: &Pod, to: SocketAddr, connections: u64, forks: u32) -> Result<Self> {
        let (to, connections, forks) = (to.to_string(), connections.to_string(), forks.to_string());
        let args = [
            "hold",
            "--to",
            &to,
            "--connections",
            &connections,
            "--fork",
            &forks,
        ];
        let mut process = pod.spawn("insight-load hold", load(args)?)?;
        let tally = Tally::from_json(&process.line(LINE)?)?;
        Ok(Self { process, tally })
    }

    /// One request on each connection.
    pub fn exchange(&mut self, send: u64, receive: u64) -> Result<()> {
        self.process.tell(&format!("{send} {receive}"))?;
        self.tally = Tally::from_json(&self.process.line(LINE)?)?;
        Ok(())
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Kills its process.
    pub fn kill(self) {
        drop(self.process);
    }

    /// Closes the connections.
    pub fn close(mut self) -> Result<Tally> {
        self.process.close_stdin();
        let tally = Tally::from_json(&self.process.line(LINE)?)?;
        self.process.finish(LINE)?;
        Ok(tally)
    }
}
