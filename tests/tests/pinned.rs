//! What is pinned: who may hold it, what becomes of it when settings or the version change, and how it is removed.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use insight_tests::cgroup::CgroupRoot;
use insight_tests::load::client::Plan;
use insight_tests::needs_root;
use insight_tests::pins::BpfFs;
use insight_tests::product::{Agent, Aggregator, Outcome, free_port, program, run_once};
use insight_tests::reader::Counts;
use insight_tests::traffic::{Held, at, run_client, serve};
use insight_tests::world::{NODE, Pods, Product};
use tempfile::TempDir;

const PORT: u16 = 7001;

#[test]
fn one_agent_holds_the_pins_until_they_are_detached() -> Result<()> {
    needs_root!("one agent holds the pins until they are detached");
    let (root, bpf) = (CgroupRoot::new()?, BpfFs::new()?);
    let folder = bpf.folder().display().to_string();
    let aggregator = Aggregator::start()?;
    let mut agent = Agent::pinned(&aggregator, NODE, &root, &bpf.folder())?;
    let holder = format!("process {}", agent.daemon.pid()?);
    for verb in ["run", "detach"] {
        run_agent(&[verb, "--pin-dir", &folder])?.expect_error(&[&folder, &holder])?;
    }
    agent.daemon.kill()?;
    let version = bpf.version()?;
    let pinned = |name: &str| version.join(name).exists();
    ensure!(
        pinned("life") && pinned("missed") && pinned("FLOWS"),
        "something went with the agent"
    );
    let detached = run_agent(&["detach", "--pin-dir", &folder])?.stdout()?;
    ensure!(
        detached.contains(&version.display().to_string()),
        "{detached}"
    );
    ensure!(!bpf.folder().exists(), "something is still pinned");
    let again = run_agent(&["detach", "--pin-dir", &folder])?.stdout()?;
    ensure!(again.contains("nothing is pinned"), "{again}");
    Ok(())
}

#[test]
fn pins_belong_in_a_bpf_file_system() -> Result<()> {
    needs_root!("pins belong in a BPF file system");
    let elsewhere = TempDir::new()?;
    let folder = elsewhere.path().join("pins").display().to_string();
    run_agent(&["run", "--pin-dir", &folder])?.expect_error(&[&folder, "mount -t bpf"])?;
    let relative = run_agent(&["run", "--pin-dir", "here"])?;
    relative.expect_error(&["--pin-dir", "absolute path"])?;
    ensure!(relative.code == Some(64), "{relative:?}");
    Ok(())
}

/// Runs it on a free port of its own, so that nothing but the pins is in its way.
fn run_agent(args: &[&str]) -> Result<Outcome> {
    let mut command = Command::new(program("insight-agent")?);
    command.args(args);
    if args.first() == Some(&"run") {
        command.args(["--listen", &format!("127.0.0.1:{}", free_port()?)]);
    }
    run_once(command)
}

/// What changes between two agents.
enum Change {
    /// `--max-flows`, which a map cannot change while it lives.
    Settings,
    /// The version, here to one before.
    Version,
    /// Entries of other sizes: two maps in each other's place.
    Layout,
    /// The first one was killed while it began.
    Unfinished,
}

#[test]
fn other_settings_report_the_old_counts_and_begin_anew() -> Result<()> {
    Pods::exact(
        "other settings report the old counts and begin anew",
        |pods| replaced(&Change::Settings, pods),
    )
}

#[test]
fn another_version_reports_the_old_counts_and_begins_anew() -> Result<()> {
    Pods::exact(
        "another version reports the old counts and begins anew",
        |pods| replaced(&Change::Version, pods),
    )
}

#[test]
fn what_is_not_whole_is_begun_anew() -> Result<()> {
    Pods::exact("what is not whole is begun anew", |pods| {
        replaced(&Change::Unfinished, pods)
    })
}

#[test]
fn what_cannot_be_read_is_begun_anew() -> Result<()> {
    Pods::exact("what cannot be read is begun anew", |pods| {
        replaced(&Change::Layout, pods)
    })
}

fn replaced(change: &Change, pods: &Pods) -> Result<()> {
    let bpf = BpfFs::new()?;
    let aggregator = Aggregator::start()?;
    let agent = Agent::pinned(&aggregator, NODE, &pods.root, &bpf.folder())?;
    let mut product = Product::of(aggregator, agent)?;
    let _serving = serve(&pods.server, PORT)?;
    let to = at(pods.server.addresses.v4, PORT);
    let plan = Plan::new(to, 20, 100, 200);
    let mut all = run_client(&pods.client, &plan)?;
    // Open over the change: what it moved is neither lost nor counted by both.
    let mut held = Held::open(&pods.client, to, 2, 0)?;
    held.exchange(5_000, 7_000)?;
    product.settle()?;
    product.agent.daemon.kill()?;
    // Counted, and not reported yet.
    all += run_client(&pods.client, &plan)?;
    held.exchange(300, 400)?;

    let version = bpf.version()?;
    match change {
        Change::Settings => product.agent.daemon.add_args(&["--max-flows", "128"]),
        Change::Version => fs::rename(&version, bpf.folder().join("v0")).context("rename")?,
        Change::Layout => {
            let pin = |name: &str| version.join(name);
            fs::rename(pin("FLOWS"), pin("other"))?;
            fs::rename(pin("WATERMARKS"), pin("FLOWS"))?;
            fs::rename(pin("other"), pin("WATERMARKS"))?;
        }
        Change::Unfinished => {
            fs::remove_file(version.join("STATE")).context("unpin")?;
            // Nothing says what was reported of it.
            let lost = Counts::finished(&run_client(&pods.client, &Plan::new(to, 1, 100, 200))?);
            ensure!(lost.opened == 1, "{lost:?}");
        }
    }
    product.agent.restart()?;
    if let Change::Layout | Change::Unfinished = change {
        // Nothing says what of the old counts was reported: they are lost, aloud, and new ones go on from what was.
        let reported = plan.connections + held.tally.connections;
        run_client(&pods.client, &plan)?;
        product.settle()?;
        let log = product.agent.daemon.log();
        ensure!(log.contains("is lost"), "{log}");
        return pods.eventually("the new counts beside the reported ones", || {
            let edge = pods.edge(&product.reader, PORT)?;
            let opened = edge.client_view.context("no client's view")?.opened;
            ensure!(opened == reported + plan.connections, "{opened}");
            Ok(())
        });
    }
    all += run_client(&pods.client, &plan)?;
    held.exchange(30, 40)?;
    let truth = held.close()?;
    product.settle()?;
    product.expect(pods, PORT, &Counts::finished(&(all + truth)))?;
    let log = product.agent.daemon.log();
    ensure!(log.contains("replacing programs"), "{log}");
    let left: Vec<_> = fs::read_dir(bpf.folder())?.collect::<Result<_, _>>()?;
    ensure!(left.len() == 1 && left[0].path() == version, "{left:?}");
    Ok(())
}
