//! The tests' own tools do what they say: pods talk, connects fail as wanted, and nothing leaves the machine.

use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, ensure};
use insight_tests::bpf::{Kind, Object};
use insight_tests::cgroup::CgroupRoot;
use insight_tests::ftrace::Trace;
use insight_tests::load::client::{Ending, Plan};
use insight_tests::moment::{self, Turnover};
use insight_tests::needs_root;
use insight_tests::net::{Net, black_hole};
use insight_tests::pod::{Driver, Pod};
use insight_tests::process::{Place, Process};
use insight_tests::root::skip;
use insight_tests::traffic::{Held, at, fail, run_client, serve, serve_in};
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::world::Pods;

const PORT: u16 = 7001;

#[test]
fn pods_talk_and_the_client_knows_the_truth() -> Result<()> {
    needs_root!("pods talk and the client knows the truth");
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let server = Pod::new(&net, &root)?;
    let client = Pod::with_driver(&net, &root, Driver::Systemd)?;
    let _serving = serve(&server, PORT)?;
    for address in [
        server.addresses.v4.into(),
        server.addresses.v6.into(),
        server.addresses.mapped(),
    ] {
        for ending in [Ending::Close, Ending::Reset, Ending::HalfClose] {
            let mut plan = Plan::new(at(address, PORT), 10, 100, 70_000);
            plan.concurrency = NonZeroUsize::MIN.saturating_add(2);
            plan.requests = 2;
            plan.ending = ending;
            let tally = run_client(&client, &plan)?;
            assert_eq!(tally.connections, 10);
            assert_eq!(
                (tally.bytes_sent, tally.bytes_received),
                (2_000, 1_400_000),
                "{address} {ending:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn held_connections_speak_when_told() -> Result<()> {
    needs_root!("held connections speak when told");
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let (server, client) = (Pod::new(&net, &root)?, Pod::new(&net, &root)?);
    let sidecar = server.add_container(&root)?;
    let _serving = serve_in(&server, &sidecar, PORT, &["--backlog", "0"])?;
    let mut held = Held::open(&client, at(server.addresses.v6, PORT), 3, 2)?;
    held.exchange(16, 1_000)?;
    held.exchange(1_000_000, 0)?;
    let tally = held.close()?;
    assert_eq!(tally.connections, 3);
    assert_eq!(tally.bytes_sent, 3 * 1_000_016);
    assert_eq!(tally.bytes_received, 3_000);
    Ok(())
}

#[test]
fn connects_fail_as_wanted() -> Result<()> {
    needs_root!("connects fail as wanted");
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let (silent, client) = (Pod::new(&net, &root)?, Pod::new(&net, &root)?);
    let hole = black_hole(&client.namespace, &silent.addresses)?;
    let nobody = std::net::Ipv4Addr::new(10, 244, 0, 254);
    fail(&client, "refused", at(silent.addresses.v4, PORT), 3)?;
    fail(&client, "refused", at(silent.addresses.v6, PORT), 3)?;
    fail(&client, "abandoned", at(hole, PORT), 3)?;
    fail(&client, "timeout", at(hole, PORT), 1)?;
    fail(&client, "unreachable", at(nobody, PORT), 1)
}

/// Addresses of documentation: there is no way anywhere, so each fails at once.
#[test]
fn a_pod_reaches_nothing_outside() -> Result<()> {
    needs_root!("a pod reaches nothing outside");
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let pod = Pod::new(&net, &root)?;
    for outside in ["192.0.2.1:80", "203.0.113.1:80", "[2001:db8::1]:80"] {
        fail(&pod, "unreachable", outside.parse()?, 1)?;
    }
    Ok(())
}

#[test]
fn the_kernels_trace_has_every_opening_and_close() -> Result<()> {
    let promise = "the kernel's trace has every opening and close";
    needs_root!(promise);
    if !std::fs::read_to_string("/proc/filesystems")?.contains("\ttracefs\n") {
        skip(promise, "this kernel has no tracefs");
        return Ok(());
    }
    let pods = Pods::new()?;
    let trace = Trace::start(&(PORT..PORT + 1), None, 1024)?;
    let _serving = [serve(&pods.server, PORT)?, serve(&pods.server, PORT + 1)?];
    for (port, connections) in [(PORT, 30), (PORT + 1, 20)] {
        let plan = Plan::new(at(pods.server.addresses.v6, port), connections, 100, 100);
        run_client(&pods.client, &plan)?;
    }
    fail(
        &pods.client,
        "refused",
        at(pods.server.addresses.v4, PORT + 2),
        3,
    )?;
    eventually(PATIENCE, "the last close", || {
        let all = Turnover {
            opened: 30,
            closed: 30,
        };
        let changes = trace.changes()?;
        let others = changes
            .iter()
            .filter(|change| ![change.local_port, change.remote_port].contains(&PORT));
        ensure!(others.count() == 0, "changes of other ports: {changes:?}");
        moment::expect(&changes, PORT, &[all; 2])
    })?;

    // It leaves nothing.
    let other = Trace::start(&(PORT..PORT + 1), None, 64)?;
    let name = trace.instance().file_name().context("a name")?.to_owned();
    let seen = other.instance().with_file_name(name);
    assert!(seen.exists());
    let gone = trace.instance().to_owned();
    drop(trace);
    assert!(!seen.exists() && !gone.exists());
    Ok(())
}

#[test]
fn a_trace_of_threads_follows_those_that_they_make() -> Result<()> {
    let promise = "a trace of threads follows those that they make";
    needs_root!(promise);
    if !std::fs::read_to_string("/proc/filesystems")?.contains("\ttracefs\n") {
        skip(promise, "this kernel has no tracefs");
        return Ok(());
    }
    let (mine, others) = (
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    );
    let (to_mine, to_others) = (mine.local_addr()?, others.local_addr()?);
    let (to_parent, told) = mpsc::channel::<()>();
    let (to_us, id) = mpsc::channel();
    let parent = thread::spawn(move || -> Result<()> {
        // SAFETY: takes nothing.
        to_us.send(unsafe { libc::gettid() })?;
        told.recv()?;
        let child = thread::spawn(move || TcpStream::connect(to_mine).is_ok());
        ensure!(child.join().is_ok_and(|connected| connected));
        Ok(())
    });
    let (mine, others) = (to_mine.port(), to_others.port());
    let ports = mine.min(others)..mine.max(others) + 1;
    let trace = Trace::start(&ports, Some(&[id.recv()?.to_string()]), 64)?;
    to_parent.send(())?;
    ensure!(parent.join().is_ok_and(|done| done.is_ok()));
    ensure!(TcpStream::connect(to_others).is_ok());
    let seen = trace.changes()?;
    let at = |port: u16| seen.iter().any(|change| change.remote_port == port);
    ensure!(at(mine) && !at(others), "{seen:?}");
    Ok(())
}

#[test]
fn a_process_ends_with_its_guard() -> Result<()> {
    needs_root!("a process ends with its guard");
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let pod = Pod::new(&net, &root)?;
    let mut command = Command::new("sleep");
    command.arg("1000");
    let process = pod.spawn("sleep", command)?;
    let alive = format!("/proc/{}", process.pid());
    assert!(std::fs::exists(&alive)?);
    drop(process);
    assert!(!std::fs::exists(&alive)?);

    let mut command = Command::new("echo");
    command.arg("said");
    let mut process = pod.spawn("echo", command)?;
    assert_eq!(process.line(PATIENCE)?, "said");
    process.finish(PATIENCE)
}

#[test]
fn a_cgroup_is_entered_and_removed() -> Result<()> {
    needs_root!("a cgroup is entered and removed");
    let root = CgroupRoot::with_controllers()?;
    let leaf = root.make("kubepods/pod1/container")?;
    let place = Place {
        netns: None,
        cgroups: leaf.entrances()?,
    };
    let mut command = Command::new("sleep");
    command.arg("1000");
    let sleeper = Process::start("sleep", command, place)?;
    for directory in leaf.directories() {
        let procs = std::fs::read_to_string(directory.join("cgroup.procs"))?;
        assert_eq!(procs.trim(), sleeper.pid().to_string());
    }
    assert!(leaf.id()? > 0);
    let top = Path::new(root.name());
    let tops: Vec<PathBuf> = leaf
        .directories()
        .filter_map(|directory| directory.ancestors().find(|above| above.ends_with(top)))
        .map(Path::to_owned)
        .collect();
    assert!(tops.len() == leaf.directories().count(), "{tops:?}");
    assert!(tops.iter().all(|top| top.exists()), "{tops:?}");
    drop(root);
    drop(sleeper);
    assert!(tops.iter().all(|top| !top.exists()), "{tops:?}");
    Ok(())
}

#[test]
fn no_bpf_object_has_the_last_id() -> Result<()> {
    needs_root!("no BPF object has the last id");
    for kind in [Kind::Program, Kind::Map, Kind::Link] {
        let nobody = Object {
            kind,
            id: u32::MAX - 1,
        };
        assert!(!nobody.exists()?);
    }
    Ok(())
}
