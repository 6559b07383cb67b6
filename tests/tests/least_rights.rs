//! Counting needs two capabilities, and says which one is missing.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use insight_tests::datagrams;
use insight_tests::load::client::Plan;
use insight_tests::load::udp;
use insight_tests::needs_root;
use insight_tests::product::{Agent, Aggregator, program, run_once};
use insight_tests::reader::{Counts, http};
use insight_tests::traffic::{Held, at, run_client, serve};
use insight_tests::world::{NODE, Pods, Product};
use serde_json::Value;

const PORT: u16 = 7001;

/// Root without any other capability, and without a way to get one: as in a pod with `drop: [ALL]`.
fn confined(capabilities: &str) -> [String; 4] {
    [
        "setpriv".to_owned(),
        "--no-new-privs".to_owned(),
        "--inh-caps=-all".to_owned(),
        format!("--bounding-set=-all{capabilities}"),
    ]
}

/// With a root file system that nobody can write, as `readOnlyRootFilesystem: true` makes it.
const READ_ONLY: [&str; 7] = [
    "unshare",
    "--mount",
    "--propagation=private",
    "sh",
    "-c",
    "mount -o remount,bind,ro / && ! touch /tmp/insight-probe 2>/dev/null && exec \"$@\"",
    "sh",
];

#[test]
fn two_capabilities_count_exactly() -> Result<()> {
    Pods::exact("two capabilities count exactly", two_capabilities)
}

fn two_capabilities(pods: &Pods) -> Result<()> {
    let aggregator = Aggregator::start()?;
    let starter = confined(",+bpf,+perfmon");
    let starter: Vec<&str> = READ_ONLY
        .into_iter()
        .chain(starter.iter().map(String::as_str))
        .collect();
    let agent = Agent::started_by(&starter, &aggregator, NODE, &pods.root, "300ms")?;
    // UDP's programs belong to cgroups, as those for dialed addresses do, and need one more.
    let status: Value = serde_json::from_str(&http::get_ok(agent.http_port, "/status")?)?;
    let probes = status["probes"].as_array().context("probes")?;
    let udp = probes.iter().filter(|probe| {
        let hook = probe["hook"].as_str();
        hook.is_some_and(|hook| hook.starts_with("cgroup/"))
    });
    let reasons: Vec<&str> = udp.filter_map(|probe| probe["reason"].as_str()).collect();
    ensure!(
        reasons.len() == 3
            && reasons
                .iter()
                .all(|reason| reason.starts_with("missing CAP_NET_ADMIN: ")),
        "{status}"
    );
    let product = Product::of(aggregator, agent)?;
    let _serving = serve(&pods.server, PORT)?;
    let to = at(pods.server.addresses.v4, PORT);
    let done = run_client(&pods.client, &Plan::new(to, 50, 300, 700))?;
    // Bytes of open connections take the readout.
    let mut held = Held::open(&pods.client, to, 2, 0)?;
    held.exchange(1_000, 2_000)?;
    product.settle()?;
    let open = held.tally;
    let counts = Counts {
        active: open.connections,
        closed: done.connections,
        ..Counts::finished(&(done + open))
    };
    product.expect(pods, PORT, &counts)
}

#[test]
fn three_capabilities_count_datagrams_exactly() -> Result<()> {
    Pods::exact("three capabilities count datagrams exactly", |pods| {
        let aggregator = Aggregator::start()?;
        let starter = confined(",+bpf,+perfmon,+net_admin");
        let starter: Vec<&str> = READ_ONLY
            .into_iter()
            .chain(starter.iter().map(String::as_str))
            .collect();
        let mut agent = Agent::started_by(&starter, &aggregator, NODE, &pods.root, "300ms")?;
        agent.daemon.kill()?;
        agent.daemon.add_args(&["--udp", "bytes"]);
        agent.restart()?;
        let path = format!("/proc/{}/status", agent.daemon.pid()?);
        let rights = std::fs::read_to_string(&path)?;
        // Bits 12, 38 and 39.
        ensure!(rights.contains("\nCapEff:\t000000c000001000\n"), "{rights}");
        let product = Product::of(aggregator, agent)?;
        let to = at(pods.server.addresses.v4, PORT);
        let listen = format!("[::]:{PORT}");
        let _serving = datagrams::serve(&pods.server, &["--listen", &listen])?;
        let tally = datagrams::run(&pods.client, &udp::Plan::new(to, 20, 100, 200))?;
        datagrams::expect(pods, &product, PORT, &datagrams::Counts::of(&tally))
    })
}

#[test]
fn every_program_attaches_with_them() -> Result<()> {
    needs_root!("every program attaches with two capabilities");
    let starter = confined(",+bpf,+perfmon");
    let mut command = Command::new(&starter[0]);
    command.args(&starter[1..]).arg(program("insight-agent")?);
    command.args(["doctor", "--json"]);
    let doctor = run_once(command)?;
    let found: Value = serde_json::from_str(&doctor.stdout)?;
    let probes = found["probes"].as_array().context("probes")?;
    for name in ["life", "readout", "victims", "waits", "ends"] {
        let probe = probes.iter().find(|probe| probe["name"] == name);
        let probe = probe.with_context(|| format!("no {name} in {found}"))?;
        // On some kernels for a reason of theirs.
        let unlucky = probe["reason"].as_str().unwrap_or_default();
        ensure!(
            probe["attached"] == true || unlucky.contains("func unknown"),
            "{probe}"
        );
    }
    Ok(())
}

#[test]
fn what_is_missing_is_named_with_what_it_costs() -> Result<()> {
    needs_root!("what is missing is named with what it costs");
    for (has, missing) in [
        (",+bpf", "missing CAP_PERFMON: "),
        (",+perfmon", "CAP_BPF"),
        ("", "CAP_BPF"),
    ] {
        let starter = confined(has);
        let mut command = Command::new(&starter[0]);
        command.args(&starter[1..]).arg(program("insight-agent")?);
        let doctor = run_once({
            command.args(["doctor", "--json"]);
            command
        })?;
        ensure!(doctor.code == Some(1), "{has}: {doctor:?}");
        let found: Value = serde_json::from_str(&doctor.stdout)?;
        ensure!(found["counts_flows"] == false, "{has}: {found}");
        let probes = found["probes"].as_array().context("probes")?;
        let told = match probes.first() {
            Some(life) => {
                ensure!(
                    life["lost"].as_str().is_some_and(|lost| !lost.is_empty()),
                    "{life}"
                );
                &life["reason"]
            }
            None => &found["error"],
        };
        ensure!(
            told.as_str().is_some_and(|told| told.contains(missing)),
            "{has}: {found}"
        );
    }
    Ok(())
}

#[test]
fn what_needs_more_says_so_and_nothing_else_suffers() -> Result<()> {
    needs_root!("what needs more says so, and nothing else suffers");
    let starter = confined(",+bpf,+perfmon");
    let mut command = Command::new(&starter[0]);
    command.args(&starter[1..]).arg(program("insight-agent")?);
    command.args(["doctor", "--json"]);
    let found: Value = serde_json::from_str(&run_once(command)?.stdout()?)?;
    let probes = found["probes"].as_array().context("probes")?;
    let mut told = Vec::new();
    for probe in probes {
        let [name, hook] = ["name", "hook"].map(|field| probe[field].as_str().unwrap_or_default());
        let missing = match name {
            "conntrack-pods" => "missing CAP_SYS_ADMIN and CAP_NET_ADMIN",
            "conntrack" => "missing CAP_NET_ADMIN",
            _ if hook.starts_with("cgroup/") => "missing CAP_NET_ADMIN",
            _ => {
                ensure!(probe["attached"] == true, "{probe}");
                continue;
            }
        };
        let reason = probe["reason"].as_str();
        ensure!(
            reason.is_some_and(|reason| reason.starts_with(missing)),
            "{probe}"
        );
        told.push(name);
    }
    let added = ["dialed", "conntrack", "conntrack-pods"];
    ensure!(added.iter().all(|name| told.contains(name)), "{told:?}");
    Ok(())
}
