//! Agents that lack something, or are in the wrong place.

use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};
use insight_tests::cgroup::CgroupRoot;
use insight_tests::load::client::Plan;
use insight_tests::needs_root;
use insight_tests::product::{Agent, Aggregator, Daemon, free_port, run_once};
use insight_tests::reader::{Counts, http, metrics};
use insight_tests::traffic::{at, run_client, serve};
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::world::Pods;
use serde_json::Value;

use crate::{FAILED, as_nobody, expect, run};

#[test]
fn the_agent_says_what_it_lacks() -> Result<()> {
    needs_root!("the agent says what it lacks");
    let listen = format!("127.0.0.1:{}", free_port()?);
    let args = ["run", "--listen", &listen];
    let outcome = run("insight-agent", &args, &[("INSIGHT_BTF", "/nonexistent")])?;
    expect(&outcome, FAILED, &["/nonexistent", "CONFIG_DEBUG_INFO_BTF"])?;

    let mut command = as_nobody("insight-agent")?;
    command.args(args);
    expect(
        &run_once(command)?,
        FAILED,
        &["root", "CAP_BPF", "CAP_PERFMON"],
    )?;
    let mut command = as_nobody("insight-agent")?;
    command.arg("doctor");
    let outcome = run_once(command)?;
    assert_eq!(outcome.code, Some(FAILED), "{outcome:?}");
    for part in ["root", "CAP_BPF", "flows cannot be counted"] {
        ensure!(outcome.stdout.contains(part), "no {part:?}: {outcome:?}");
    }
    Ok(())
}

/// Who may not look does not claim that nothing is pinned.
#[test]
fn detaching_without_rights_is_an_error() -> Result<()> {
    needs_root!("detaching without rights is an error");
    // For its owner alone, as BPF file systems are.
    let folder = tempfile::TempDir::with_prefix("insight-pins-")?;
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700))?;
    let mut command = as_nobody("insight-agent")?;
    command
        .args(["detach", "--pin-dir"])
        .arg(folder.path().join("insight"));
    expect(&run_once(command)?, FAILED, &["root", "Permission denied"])
}

/// A URL of something that is no aggregator: the agent goes on counting, and says what is wrong.
#[test]
fn an_agent_with_a_wrong_url_says_so_and_goes_on() -> Result<()> {
    needs_root!("an agent with a wrong URL says so and goes on");
    let root = CgroupRoot::new()?;
    let aggregator = Aggregator::start()?;
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    for (url, parts) in [
        (nobody.as_str(), &["refused"] as &[&str]),
        (&aggregator.http_url(), &["gRPC"]),
    ] {
        let port = free_port()?;
        let args = [
            "run",
            "--aggregator",
            url,
            "--node-name",
            "lost",
            "--interval",
            "500ms",
            "--cgroup-root",
            &root.path().display().to_string(),
            "--listen",
            &format!("127.0.0.1:{port}"),
        ];
        let args = args.map(str::to_owned).to_vec();
        let mut agent = Daemon::new("insight-agent", args, port)?;
        agent.start()?;
        agent.wait_ready()?;
        eventually(PATIENCE, "the reason", || {
            let status: Value = serde_json::from_str(&http::get_ok(port, "/status")?)?;
            let error = status["aggregator"]["last_error"].as_str();
            let error = error.with_context(|| format!("no error in {status}"))?;
            for part in [&[url], parts].concat() {
                ensure!(error.contains(part), "no {part:?} in {error:?}");
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Two agents with one name would count everything twice: the second is not let in and says why, the first goes on.
#[test]
fn a_second_agent_of_a_node_is_refused() -> Result<()> {
    Pods::exact("a second agent of a node is refused", second_agent)
}

fn second_agent(pods: &Pods) -> Result<()> {
    let _serving = serve(&pods.server, 7001)?;
    let aggregator = Aggregator::start()?;
    let first = Agent::start(&aggregator, "twin", &pods.root)?;
    let reader = aggregator.reader()?;
    eventually(PATIENCE, "the first agent to be let in", || {
        connected(&first, 1.0)
    })?;

    let second = Agent::start(&aggregator, "twin", &pods.root)?;
    eventually(PATIENCE, "the refusal", || {
        let log = second.daemon.log();
        for part in ["AlreadyExists", "twin", "--node-name"] {
            ensure!(log.contains(part), "no {part:?} in {log}");
        }
        connected(&second, 0.0)
    })?;
    let plan = Plan::new(at(pods.server.addresses.v4, 7001), 40, 100, 1_000);
    let tally = run_client(&pods.client, &plan)?;
    pods.expect(&reader, 7001, &Counts::finished(&tally))?;
    connected(&first, 1.0)?;
    connected(&second, 0.0)
}

fn connected(agent: &Agent, expected: f64) -> Result<()> {
    let found = metrics::sample(&agent.metrics()?, "insight_agent_aggregator_connected", &[])?;
    ensure!(found == expected, "connected: {found}");
    Ok(())
}
