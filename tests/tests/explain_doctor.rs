//! The two questions that an operator asks the agent itself: what works on this kernel, and who is this cgroup?

use std::process::Command;

use anyhow::{Context, Result, ensure};
use insight_tests::cgroup::CgroupRoot;
use insight_tests::needs_root;
use insight_tests::net::Net;
use insight_tests::pod::{Driver, Pod};
use insight_tests::product::{Outcome, program, run_once};
use serde_json::{Value, json};

fn agent(args: &[&str], env: &[(&str, &str)]) -> Result<Outcome> {
    let mut command = Command::new(program("insight-agent")?);
    command.args(args).envs(env.iter().copied());
    run_once(command)
}

/// The one line of `explain --json` for one thing.
fn explain(what: &str) -> Result<Value> {
    let text = agent(&["explain", "--json", what], &[])?.stdout()?;
    ensure!(text.lines().count() == 1, "not one line: {text:?}");
    serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
}

#[test]
fn doctor_says_what_works() -> Result<()> {
    needs_root!("doctor says what works");
    let text = agent(&["doctor"], &[])?.stdout()?;
    for part in [
        "life",
        "missed",
        "births",
        "readout",
        "works",
        "flows can be counted here",
    ] {
        ensure!(text.contains(part), "no {part:?} in {text}");
    }

    let text = agent(&["doctor", "--json"], &[])?.stdout()?;
    let diagnosis: Value = serde_json::from_str(&text)?;
    assert_eq!(diagnosis["counts_flows"], true, "{text}");
    assert_eq!(diagnosis["error"], Value::Null, "{text}");
    let probes = diagnosis["probes"].as_array().context("no probes")?;
    let names: Vec<_> = probes.iter().map(|probe| &probe["name"]).collect();
    for name in [
        "life",
        "missed",
        "births",
        "retire",
        "readout",
        "dialed",
        "conntrack",
        "conntrack-pods",
    ] {
        ensure!(
            names.iter().any(|known| *known == name),
            "no {name} in {names:?}"
        );
    }
    for probe in probes {
        assert_eq!(probe["attached"], true, "{probe}");
        ensure!(
            probe["lost"].as_str().is_some_and(|lost| !lost.is_empty()),
            "it does not say what is lost without it: {probe}"
        );
    }
    Ok(())
}

#[test]
fn doctor_says_why_nothing_works() -> Result<()> {
    needs_root!("doctor says why nothing works");
    let env = [("INSIGHT_BTF", "/nonexistent")];
    let outcome = agent(&["doctor"], &env)?;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for part in ["/nonexistent", "BTF", "flows cannot be counted"] {
        ensure!(outcome.stdout.contains(part), "no {part:?}: {outcome:?}");
    }

    let outcome = agent(&["doctor", "--json"], &env)?;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let diagnosis: Value = serde_json::from_str(&outcome.stdout)?;
    assert_eq!(diagnosis["counts_flows"], false);
    let error = diagnosis["error"].as_str().context("no error")?;
    ensure!(error.contains("CONFIG_DEBUG_INFO_BTF"), "no hint: {error}");
    Ok(())
}

#[test]
fn explain_names_a_pod_by_path_process_and_container() -> Result<()> {
    needs_root!("explain names a pod");
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    for driver in [Driver::Cgroupfs, Driver::Systemd] {
        let pod = Pod::with_driver(&net, &root, driver)?;
        let runtime = match driver {
            Driver::Cgroupfs => "unknown",
            Driver::Systemd => "containerd",
        };
        let expected = json!({
            "path": pod.container.path,
            "level": "container",
            "pod_uid": pod.uid,
            "container_id": pod.container.id,
            "runtime": runtime,
            "qos": "burstable",
            "unit": null,
        });
        let mut command = Command::new("sleep");
        command.arg("1000");
        let process = pod.spawn("sleep", command)?;

        assert_eq!(explain(&pod.container.path)?, expected);
        // With the mount in front, as people paste it.
        let mounted = pod.container.cgroup.unified.display().to_string();
        assert_eq!(explain(&mounted)?, expected);
        assert_eq!(explain(&process.pid().to_string())?, expected);
        assert_eq!(explain(&pod.container.id)?, expected);
        // Containers of one test have the first 40 digits in common.
        let prefix = &pod.container.id[..40];
        match driver {
            Driver::Cgroupfs => assert_eq!(explain(prefix)?, expected),
            Driver::Systemd => agent(&["explain", "--json", prefix], &[])?.expect_error(&[
                "several",
                "more digits",
                &pod.container.id,
            ])?,
        }

        let text = agent(&["explain", &process.pid().to_string()], &[])?.stdout()?;
        for part in [pod.uid.as_str(), pod.container.id.as_str(), "burstable"] {
            ensure!(text.contains(part), "no {part} in {text}");
        }
    }
    Ok(())
}

#[test]
fn explain_says_why_it_cannot() -> Result<()> {
    // Above any process id: the kernel's limit is 4194304.
    agent(&["explain", "4194305"], &[])?.expect_error(&["4194305", "no process"])?;
    agent(&["explain", "--json", "4194305"], &[])?.expect_error(&["no process"])?;
    agent(&["explain", "feedfeedfeedfeed"], &[])?.expect_error(&[
        "feedfeedfeedfeed",
        "container",
        "is it running",
    ])?;
    agent(&["explain", "nginx"], &[])?.expect_error(&[
        "nginx",
        "cgroup path",
        "process id",
        "container id",
    ])?;
    let outcome = agent(&["explain"], &[])?;
    outcome.expect_error(&["--help"])?;
    assert_eq!(outcome.code, Some(64));
    Ok(())
}
