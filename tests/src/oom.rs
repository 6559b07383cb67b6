//! Processes killed for want of memory are counted, once, whoever tells of them.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::cgroup::{Cgroup, CgroupRoot, Mounts};
use crate::net::Net;
use crate::pod::{Container, Pod};
use crate::process::{Place, Process};
use crate::reader::metrics::sample;
use crate::root;
use crate::traffic::load;
use crate::wait::{PATIENCE, eventually};
use crate::world::Product;

/// Bytes that a cgroup may have, and that a process in it wants.
const LIMIT: &str = "16777216";
const WANTED: &str = "100000000";

const KILLS: &str = "container_oom_events_total";

/// Whether this machine can limit memory.
fn limits_memory(cgroup: &Cgroup) -> bool {
    cgroup.v1.contains_key("memory") || cgroup.unified.join("memory.max").exists()
}

fn limit(cgroup: &Cgroup) -> Result<()> {
    let v1 = cgroup.v1.contains_key("memory");
    let file = if v1 {
        "memory.limit_in_bytes"
    } else {
        "memory.max"
    };
    cgroup.write("memory", file, LIMIT)?;
    // Swap would only make it take longer; not every kernel counts it.
    let (file, limit) = if v1 {
        ("memory.memsw.limit_in_bytes", LIMIT)
    } else {
        ("memory.swap.max", "0")
    };
    let _ = cgroup.write("memory", file, limit);
    Ok(())
}

/// Runs a process that is killed.
fn kill_one(pod: &Pod, place: Place) -> Result<()> {
    let command = load(["consume", "--memory", WANTED, "--cpu-ms", "0"])?;
    let mut hog = Process::start("insight-load consume", command, place)?;
    let status = hog.wait(PATIENCE)?;
    let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    ensure!(killed, "pod {}: it ended with {status}", pod.uid);
    Ok(())
}

fn place(pod: &Pod, container: &Container) -> Result<Place> {
    Ok(Place {
        netns: Some(pod.namespace.open()?),
        cgroups: container.cgroup.entrances()?,
    })
}

/// What the aggregator shows of a container, in the end and two readings later.
fn expect(product: &Product, container: &Container, kills: f64) -> Result<()> {
    let label = format!("name=\"{}\"", container.id);
    let check = || -> Result<()> {
        let shown = sample(&product.reader.metrics()?, KILLS, &[&label])?;
        ensure!(shown == kills, "{shown} kills of {kills}: {label}");
        Ok(())
    };
    eventually(PATIENCE, "the kills", check)?;
    product.settle()?;
    check()
}

/// A container that is there to be read, and one that is gone with its only process.
pub fn counted_once_also_when_the_cgroup_is_gone() -> Result<()> {
    let (net, root) = (Net::new()?, CgroupRoot::with_controllers()?);
    let pod = Pod::new(&net, &root)?;
    if !limits_memory(&pod.container.cgroup) {
        root::skip("kills are counted once", "no memory controller");
        return Ok(());
    }
    // Long enough for a container to be born and gone in between.
    let product = Product::watch(&root, "1s")?;
    limit(&pod.container.cgroup)?;
    for kills in [1.0, 2.0] {
        kill_one(&pod, place(&pod, &pod.container)?)?;
        expect(&product, &pod.container, kills)?;
    }
    let gone = pod.add_container(&root)?;
    limit(&gone.cgroup)?;
    kill_one(&pod, place(&pod, &gone)?)?;
    remove(&gone.cgroup)?;
    expect(&product, &gone, 1.0)?;
    // One that was read before, with a kill after that.
    let known = pod.add_container(&root)?;
    limit(&known.cgroup)?;
    kill_one(&pod, place(&pod, &known)?)?;
    expect(&product, &known, 1.0)?;
    kill_one(&pod, place(&pod, &known)?)?;
    remove(&known.cgroup)?;
    expect(&product, &known, 2.0)?;
    expect(&product, &pod.container, 2.0)
}

/// A process whose memory belongs to a v1 cgroup that has nothing to do with its v2 one.
pub fn counted_where_no_file_tells() -> Result<()> {
    if !Mounts::read()?.v1.contains_key("memory") {
        root::skip(
            "kills where no file tells",
            "no memory controller of cgroup v1",
        );
        return Ok(());
    }
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let elsewhere = CgroupRoot::with_controllers()?;
    let pod = Pod::new(&net, &root)?;
    let memory = elsewhere.make("limited")?;
    limit(&memory)?;
    let product = Product::watch(&root, "300ms")?;
    expect(&product, &pod.container, 0.0)?;
    for kills in [1.0, 2.0, 3.0] {
        let mut place = place(&pod, &pod.container)?;
        // Last: its v2 cgroup is the pod's.
        let mut entrances = memory.entrances()?;
        entrances.append(&mut place.cgroups);
        place.cgroups = entrances;
        kill_one(&pod, place)?;
        expect(&product, &pod.container, kills)?;
    }
    // The pod has what its container has.
    let pod_path = pod.container.path.rsplit_once('/').context("a path")?.0;
    let shown = sample(
        &product.agent.metrics()?,
        KILLS,
        &[&format!("id=\"{pod_path}\"")],
    )?;
    ensure!(shown == 3.0, "{shown} kills in the pod");
    Ok(())
}

/// The last process may still be on its way out.
fn remove(cgroup: &Cgroup) -> Result<()> {
    let remove = |directory: &Path| {
        eventually(PATIENCE, "an empty cgroup", || {
            std::fs::remove_dir(directory).with_context(|| directory.display().to_string())
        })
    };
    remove(&cgroup.unified)?;
    cgroup.v1.values().try_for_each(|directory| {
        if directory.exists() {
            remove(directory)?;
        }
        Ok(())
    })
}
