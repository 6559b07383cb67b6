//! A container runtime's default seccomp profile lets the agent count, and one that does not is named.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use insight_tests::datagrams::{self, run, serve as serve_udp};
use insight_tests::load::client::Plan;
use insight_tests::load::udp;
use insight_tests::needs_root;
use insight_tests::product::{Agent, Aggregator, program, run_once};
use insight_tests::reader::Counts;
use insight_tests::seccomp::Profile;
use insight_tests::traffic::{Held, at, serve};
use insight_tests::world::{NODE, Pods, Product};
use serde_json::Value;

const TCP_PORT: u16 = 7001;
const UDP_PORT: u16 = 7002;

/// Root with these capabilities and no way to get others: as in a pod with `drop: [ALL]` and `add`.
const CONFINED: [&str; 4] = [
    "setpriv",
    "--no-new-privs",
    "--inh-caps=-all",
    "--bounding-set=-all,+bpf,+perfmon,+net_admin",
];

#[test]
fn a_container_runtimes_profile_lets_it_count() -> Result<()> {
    Pods::exact(
        "a container runtime's profile lets it count",
        under_a_profile,
    )
}

fn under_a_profile(pods: &Pods) -> Result<()> {
    let aggregator = Aggregator::start()?;
    let mut agent = Agent::started_by(&CONFINED, &aggregator, NODE, &pods.root, "300ms")?;
    agent.daemon.kill()?;
    agent.daemon.set_profile(Profile::of_a_runtime()?);
    agent.daemon.add_args(&["--udp", "bytes", "--sched"]);
    agent.restart()?;
    let path = format!("/proc/{}/status", agent.daemon.pid()?);
    let state = std::fs::read_to_string(&path)?;
    ensure!(state.contains("\nSeccomp:\t2\n"), "no filter: {state}");
    let product = Product::of(aggregator, agent)?;
    let _serving = serve(&pods.server, TCP_PORT)?;
    let to = at(pods.server.addresses.v4, TCP_PORT);
    let done = insight_tests::traffic::run_client(&pods.client, &Plan::new(to, 50, 300, 700))?;
    // Bytes of open connections take the readout.
    let mut held = Held::open(&pods.client, to, 2, 0)?;
    held.exchange(1_000, 2_000)?;
    let _serving_udp = serve_udp(&pods.server, &["--listen", &format!("[::]:{UDP_PORT}")])?;
    let to = at(pods.server.addresses.v4, UDP_PORT);
    let datagrams = run(&pods.client, &udp::Plan::new(to, 20, 100, 200))?;
    let open = held.tally;
    let counts = Counts {
        active: open.connections,
        closed: done.connections,
        ..Counts::finished(&(done + open))
    };
    product.expect(pods, TCP_PORT, &counts)?;
    let datagrams = datagrams::Counts::of(&datagrams);
    datagrams::expect(pods, &product, UDP_PORT, &datagrams)
}

#[test]
fn a_profile_that_forbids_it_is_named() -> Result<()> {
    needs_root!("a profile that forbids it is named");
    let mut command = Command::new(CONFINED[0]);
    command.args(&CONFINED[1..]).arg(program("insight-agent")?);
    command.args(["doctor", "--json"]);
    Profile::of_an_older_runtime()?.confine(&mut command);
    let doctor = run_once(command)?;
    ensure!(doctor.code == Some(1), "{doctor:?}");
    let found: Value = serde_json::from_str(&doctor.stdout)?;
    let error = found["error"].as_str().context("an error")?;
    // The capabilities are there: who reads that they are missing looks in the wrong place.
    ensure!(
        error.contains("seccomp") && !error.contains("CAP_"),
        "{error}"
    );
    Ok(())
}
