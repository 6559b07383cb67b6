//! A container's CPU and memory are what its cgroup's files say.

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::cgroup::{Cgroup, CgroupRoot};
use crate::net::Net;
use crate::pod::Pod;
use crate::reader::metrics::sample;
use crate::root;
use crate::traffic::load;
use crate::wait::{PATIENCE, eventually};
use crate::world::Product;

/// Metric names and values, as the files say.
type Expected = Vec<(&'static str, f64)>;

/// The number behind a key of a flat file.
fn value(text: &str, key: &str) -> Result<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        .with_context(|| format!("no {key} in {text}"))?
        .trim()
        .parse()
        .with_context(|| key.to_owned())
}

fn number(cgroup: &Cgroup, controller: &str, file: &str) -> Result<u64> {
    let text = cgroup.read(controller, file)?;
    text.trim()
        .parse()
        .with_context(|| format!("{file}: {text}"))
}

/// CPU time is counted in every v2 cgroup, whichever hierarchy has the controllers.
fn cpu_time(cgroup: &Cgroup) -> Result<Expected> {
    let text = std::fs::read_to_string(cgroup.unified.join("cpu.stat"))?;
    let seconds = |key| anyhow::Ok((value(&text, key)? * 1_000) as f64 / 1e9);
    Ok(vec![
        ("container_cpu_usage_seconds_total", seconds("usage_usec")?),
        ("container_cpu_user_seconds_total", seconds("user_usec")?),
        (
            "container_cpu_system_seconds_total",
            seconds("system_usec")?,
        ),
    ])
}

fn memory(cgroup: &Cgroup) -> Result<Expected> {
    let stat = cgroup.read("memory", "memory.stat")?;
    let v1 = cgroup.v1.contains_key("memory");
    let (usage, limit, events, names) = if v1 {
        (
            "memory.usage_in_bytes",
            "memory.limit_in_bytes",
            "memory.oom_control",
            ["total_rss", "total_cache", "total_inactive_file"],
        )
    } else {
        (
            "memory.current",
            "memory.max",
            "memory.events",
            ["anon", "file", "inactive_file"],
        )
    };
    let usage = number(cgroup, "memory", usage)?;
    let [rss, cache, inactive] = names.map(|name| value(&stat, name));
    let kills = value(&cgroup.read("memory", events)?, "oom_kill")?;
    Ok([
        ("container_memory_usage_bytes", usage),
        ("container_memory_working_set_bytes", usage - inactive?),
        ("container_memory_rss", rss?),
        ("container_memory_cache", cache?),
        (
            "container_spec_memory_limit_bytes",
            number(cgroup, "memory", limit)?,
        ),
        ("container_oom_events_total", kills),
    ]
    .map(|(name, value)| (name, value as f64))
    .to_vec())
}

fn throttling(cgroup: &Cgroup) -> Result<Expected> {
    let text = cgroup.read("cpu", "cpu.stat")?;
    let v1 = cgroup.v1.contains_key("cpu");
    let nanoseconds = if v1 {
        value(&text, "throttled_time")?
    } else {
        value(&text, "throttled_usec")? * 1_000
    };
    let count = |key| anyhow::Ok(value(&text, key)? as f64);
    Ok(vec![
        ("container_cpu_cfs_periods_total", count("nr_periods")?),
        (
            "container_cpu_cfs_throttled_periods_total",
            count("nr_throttled")?,
        ),
        (
            "container_cpu_cfs_throttled_seconds_total",
            nanoseconds as f64 / 1e9,
        ),
    ])
}

fn limit_memory(cgroup: &Cgroup, bytes: &str) -> Result<()> {
    let v1 = cgroup.v1.contains_key("memory");
    let file = if v1 {
        "memory.limit_in_bytes"
    } else {
        "memory.max"
    };
    cgroup.write("memory", file, bytes)
}

/// A fifth of a processor.
fn limit_cpu(cgroup: &Cgroup) -> Result<()> {
    if cgroup.v1.contains_key("cpu") {
        cgroup.write("cpu", "cpu.cfs_period_us", "50000")?;
        return cgroup.write("cpu", "cpu.cfs_quota_us", "10000");
    }
    cgroup.write("cpu", "cpu.max", "10000 50000")
}

/// Whether a cgroup has a file of the controller, in either hierarchy.
fn has(cgroup: &Cgroup, controller: &str, v2_file: &str) -> bool {
    cgroup.v1.contains_key(controller) || cgroup.unified.join(v2_file).exists()
}

/// Makes a pod with limits, lets it use memory and time, and compares.
pub fn metrics_equal_the_files() -> Result<()> {
    let (net, root) = (Net::new()?, CgroupRoot::with_controllers()?);
    let pod = Pod::new(&net, &root)?;
    let cgroup = &pod.container.cgroup;
    let with_memory = has(cgroup, "memory", "memory.current");
    let with_quota = has(cgroup, "cpu", "cpu.max");
    if with_memory {
        limit_memory(cgroup, "134217728")?;
    } else {
        root::skip("metrics equal the files: memory", "no memory controller");
    }
    if with_quota {
        limit_cpu(cgroup)?;
    } else {
        root::skip("metrics equal the files: throttling", "no CPU controller");
    }
    let files = || -> Result<Expected> {
        let mut expected = cpu_time(cgroup)?;
        if with_memory {
            expected.extend(memory(cgroup)?);
        }
        if with_quota {
            expected.extend(throttling(cgroup)?);
        }
        Ok(expected)
    };

    let product = Product::watch(&root, "300ms")?;
    let mut busy = pod.spawn(
        "insight-load consume",
        load(["consume", "--memory", "33554432", "--cpu-ms", "200"])?,
    )?;
    busy.line(PATIENCE)?;
    // A stopped process uses nothing, so the files stand still.
    busy.signal(Signal::STOP)?;
    let expected = eventually(PATIENCE, "the metrics to equal the files", || {
        let before = files()?;
        product.settle()?;
        let pages = [product.agent.metrics()?, product.reader.metrics()?];
        let after = files()?;
        ensure!(
            before == after,
            "the files still change: {before:?} {after:?}"
        );
        let labels = [
            format!("container_id=\"{}\"", pod.container.id),
            format!("name=\"{}\"", pod.container.id),
        ];
        for (page, label) in pages.iter().zip(&labels) {
            for (name, value) in &after {
                let shown = sample(page, name, &[label])?;
                ensure!(shown == *value, "{name} is {shown}, the file says {value}");
            }
        }
        Ok(after)
    })?;

    // The comparison is of something: time and memory were used, and the limits were met.
    let get = |name: &str| {
        expected
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
            .with_context(|| name.to_owned())
    };
    ensure!(get("container_cpu_usage_seconds_total")? >= 0.1);
    if with_memory {
        ensure!(get("container_memory_working_set_bytes")? >= 33_554_432.0);
        ensure!(get("container_spec_memory_limit_bytes")? == 134_217_728.0);
    }
    if with_quota {
        ensure!(get("container_cpu_cfs_throttled_periods_total")? >= 1.0);
        let page = product.reader.metrics()?;
        let label = format!("name=\"{}\"", pod.container.id);
        let cores = sample(&page, "container_cpu_limit_cores", &[&label])?;
        let quota = sample(&page, "container_spec_cpu_quota", &[&label])?;
        let period = sample(&page, "container_spec_cpu_period", &[&label])?;
        ensure!((quota / period - cores).abs() < 1e-6, "{quota} / {period}");
        ensure!(cores == 0.2, "{cores} cores");
    }
    Ok(())
}
