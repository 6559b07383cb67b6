//! How long a container's threads wait for a CPU is what the scheduler keeps of each.
//!
//! Processes enter their container after their birth, and a reading in between would find them elsewhere. So those that must be counted
//! whole are born in it, by one that is older than the agent.

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

use crate::cgroup::CgroupRoot;
use crate::load::breed::Schedstat;
use crate::net::Net;
use crate::pod::Pod;
use crate::process::Process;
use crate::product::{Agent, Aggregator};
use crate::reader::metrics::sample;
use crate::traffic::load;
use crate::wait::{PATIENCE, eventually};
use crate::world::{NODE, Product};

/// Threads of one process.
const THREADS: usize = 4;

/// Processes with one thread each that live at once.
const CHILDREN: usize = 6;

const WAITED: &str = "container_cpu_schedstat_runqueue_seconds_total";
const RUNS: &str = "container_cpu_schedstat_run_periods_total";

fn start(pod: &Pod, mode: &str, flag: &str, count: usize) -> Result<Process> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let cpu = (0..1024).find(|cpu| allowed.is_set(*cpu));
    let cpu = cpu.context("no processor")?.to_string();
    let command = load([mode, flag, &count.to_string(), "--cpu", &cpu])?;
    let mut process = pod.spawn(&format!("insight-load {mode}"), command)?;
    process.line(PATIENCE)?;
    Ok(process)
}

fn compete(process: &mut Process, cpu_ms: u64) -> Result<()> {
    process.tell(&cpu_ms.to_string())?;
    process.line(PATIENCE).map(drop)
}

/// What a page shows of a cgroup.
fn shown(page: &str, label: &str) -> Result<(f64, f64)> {
    Ok((
        sample(page, WAITED, &[label])?,
        sample(page, RUNS, &[label])?,
    ))
}

/// What both pages show of the container, and the agent's of its pod.
fn expect(product: &Product, pod: &Pod, truth: Schedstat) -> Result<()> {
    let container = &pod.container;
    let pod_path = container.path.rsplit_once('/').context("a path")?.0;
    let expected = (truth.waited_ns as f64 / 1e9, truth.runs as f64);
    let check = || -> Result<()> {
        let (agent, aggregator) = (product.agent.metrics()?, product.reader.metrics()?);
        for (page, label) in [
            (&agent, format!("container_id=\"{}\"", container.id)),
            (&aggregator, format!("name=\"{}\"", container.id)),
            (&agent, format!("id=\"{pod_path}\"")),
        ] {
            let shown = shown(page, &label)?;
            ensure!(
                shown == expected,
                "{label}: {shown:?}, but it was {truth:?}"
            );
        }
        Ok(())
    };
    eventually(PATIENCE, "the scheduler's sums", check)?;
    product.settle()?;
    check()
}

fn watch(root: &CgroupRoot) -> Result<Product> {
    let aggregator = Aggregator::start()?;
    let agent = Agent::with_flags(&aggregator, NODE, root, "300ms", &["--sched"])?;
    Product::of(aggregator, agent)
}

/// Threads that live, and were there before the agent; then, when their process ends, nothing is counted again.
pub fn equal_the_schedulers_sums() -> Result<()> {
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let pod = Pod::new(&net, &root)?;
    let mut process = start(&pod, "compete", "--threads", THREADS)?;
    compete(&mut process, 50)?;
    // A stopped process waits for nothing.
    process.signal(Signal::STOP)?;
    let before = Schedstat::at_rest(process.pid())?;
    ensure!(before.waited_ns > 0, "nobody had to wait: {before:?}");
    let product = watch(&root)?;
    expect(&product, &pod, Schedstat::default())?;

    process.signal(Signal::CONT)?;
    compete(&mut process, 50)?;
    process.signal(Signal::STOP)?;
    let truth = Schedstat::at_rest(process.pid())?.since(before);
    ensure!(truth.waited_ns > 50_000_000, "little waiting: {truth:?}");
    expect(&product, &pod, truth)?;

    process.signal(Signal::CONT)?;
    process.close_stdin();
    process.finish(PATIENCE)?;
    product.settle()?;
    // The container has no process any more, and is there.
    let label = format!("container_id=\"{}\"", pod.container.id);
    let (waited, runs) = shown(&product.agent.metrics()?, &label)?;
    let before_end = (truth.waited_ns as f64 / 1e9, truth.runs as f64);
    // To end takes a few runs of each thread, and is far from all that they had before.
    ensure!(
        waited >= before_end.0 && waited < 2.0 * before_end.0,
        "{waited} s, and before the end {truth:?}"
    );
    ensure!(
        runs > before_end.1 && runs < before_end.1 + 50.0 * THREADS as f64,
        "{runs} runs, and before the end {truth:?}"
    );
    Ok(())
}

/// Processes that live between two readings, if at all.
pub fn short_lives_are_counted_whole() -> Result<()> {
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let pod = Pod::new(&net, &root)?;
    let mut parent = start(&pod, "breed", "--children", CHILDREN)?;
    let before = Schedstat::at_rest(parent.pid())?;
    let product = watch(&root)?;
    let mut truth = Schedstat::default();
    for _ in 0..3 {
        parent.tell("15")?;
        let said: Value = serde_json::from_str(&parent.line(PATIENCE)?)?;
        let number = |name: &str| said[name].as_u64().with_context(|| name.to_owned());
        truth = truth.plus(Schedstat {
            waited_ns: number("waited_ns")?,
            runs: number("runs")?,
        });
    }
    ensure!(truth.waited_ns > 0, "nobody had to wait: {truth:?}");
    let parents = Schedstat::at_rest(parent.pid())?.since(before);
    expect(&product, &pod, truth.plus(parents))
}

/// Without the flag nobody is shown anything, and nothing runs.
pub fn nothing_without_the_flag() -> Result<()> {
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let pod = Pod::new(&net, &root)?;
    let product = Product::watch(&root, "300ms")?;
    let _process = start(&pod, "compete", "--threads", 1)?;
    product.settle()?;
    let page = product.agent.metrics()?;
    ensure!(!page.contains("schedstat"), "{page}");
    ensure!(page.contains("container_cpu_usage_seconds_total"), "{page}");
    ensure!(!page.contains("probe=\"waits\"") && !page.contains("probe=\"ends\""));
    Ok(())
}
