//! How long a container's threads wait for a CPU is what the scheduler keeps of each.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::cgroup::CgroupRoot;
use crate::net::Net;
use crate::pod::{Container, Pod};
use crate::process::Process;
use crate::product::{Agent, Aggregator};
use crate::reader::metrics::sample;
use crate::traffic::load;
use crate::wait::{PATIENCE, eventually, pause};
use crate::world::{NODE, Product};

/// Threads of one process.
const THREADS: usize = 4;

/// Processes with one thread each.
const PROCESSES: usize = 6;

/// What `/proc/PID/schedstat` says: nanoseconds that a thread waited, and how often it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waited {
    ns: u64,
    runs: u64,
}

impl Waited {
    fn read(path: &str) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
        let numbers: Vec<u64> = text.split_whitespace().flat_map(str::parse).collect();
        let [_, ns, runs] = numbers[..] else {
            anyhow::bail!("{path}: {text}");
        };
        Ok(Self { ns, runs })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            ns: self.ns + other.ns,
            runs: self.runs + other.runs,
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            ns: self.ns - other.ns,
            runs: self.runs - other.runs,
        }
    }

    /// All threads of a process, once they stand still.
    fn of(process: &Process) -> Result<Self> {
        let now = || -> Result<Self> {
            let mut sum = Self::default();
            for thread in fs::read_dir(format!("/proc/{}/task", process.pid()))? {
                let thread = thread?.path().join("schedstat");
                sum = sum.plus(Self::read(&thread.display().to_string())?);
            }
            Ok(sum)
        };
        eventually(PATIENCE, "threads to stand still", || {
            let before = now()?;
            pause(Duration::from_millis(50));
            ensure!(before == now()?, "{before:?} goes on");
            Ok(before)
        })
    }
}

fn competing(pod: &Pod, threads: usize) -> Result<Process> {
    let threads = threads.to_string();
    let command = load([
        "compete",
        "--threads",
        &threads,
        "--cpu",
        &cpu()?.to_string(),
    ])?;
    let mut process = pod.spawn("insight-load compete", command)?;
    process.line(PATIENCE)?;
    Ok(process)
}

/// A processor that this process may use.
fn cpu() -> Result<usize> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    (0..1024)
        .find(|cpu| allowed.is_set(*cpu))
        .context("no processor")
}

fn compete(processes: &mut [Process], cpu_ms: u64) -> Result<()> {
    for process in &mut *processes {
        process.tell(&cpu_ms.to_string())?;
    }
    for process in processes {
        process.line(PATIENCE)?;
    }
    Ok(())
}

/// What both pages show of a container, and the agent's of its pod.
fn expect(product: &Product, pod: &Pod, container: &Container, truth: Waited) -> Result<()> {
    eventually(PATIENCE, "the scheduler's sums", || {
        let (agent, aggregator) = (product.agent.metrics()?, product.reader.metrics()?);
        let pod_path = container.path.rsplit_once('/').context("a path")?.0;
        for (page, label) in [
            (&agent, format!("container_id=\"{}\"", container.id)),
            (&aggregator, format!("name=\"{}\"", container.id)),
            (&agent, format!("id=\"{pod_path}\"")),
        ] {
            let shown = |name: &str| sample(page, name, &[&label]);
            let seconds = shown("container_cpu_schedstat_runqueue_seconds_total")?;
            let runs = shown("container_cpu_schedstat_run_periods_total")?;
            ensure!(
                (seconds, runs) == (truth.ns as f64 / 1e9, truth.runs as f64),
                "{label}: {seconds} s in {runs} runs, but it was {truth:?}"
            );
        }
        Ok(())
    })
    .with_context(|| format!("pod {}", pod.uid))
}

fn watch(root: &CgroupRoot) -> Result<Product> {
    let aggregator = Aggregator::start()?;
    let agent = Agent::with_flags(&aggregator, NODE, root, "300ms", &["--sched"])?;
    Product::of(aggregator, agent)
}

/// Living threads, threads that have ended, and those that were there before the agent.
pub fn equal_the_schedulers_sums() -> Result<()> {
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let pod = Pod::new(&net, &root)?;
    let mut old = [competing(&pod, THREADS)?];
    compete(&mut old, 50)?;
    // A stopped process waits for nothing.
    old[0].signal(Signal::STOP)?;
    let before = Waited::of(&old[0])?;
    ensure!(before.ns > 0, "nobody had to wait: {before:?}");
    let product = watch(&root)?;
    expect(&product, &pod, &pod.container, Waited::default())?;

    old[0].signal(Signal::CONT)?;
    compete(&mut old, 50)?;
    old[0].signal(Signal::STOP)?;
    let mut truth = Waited::of(&old[0])?.less(before);
    ensure!(truth.ns > 50_000_000, "little waiting: {truth:?}");
    expect(&product, &pod, &pod.container, truth)?;

    let mut young = Vec::new();
    for _ in 0..PROCESSES {
        young.push(competing(&pod, 1)?);
    }
    compete(&mut young, 20)?;
    for process in &mut young {
        process.close_stdin();
    }
    // One that nobody has waited for can still be asked, and does nothing any more.
    for process in &young {
        eventually(PATIENCE, "the end of a process", || {
            let path = format!("/proc/{}/stat", process.pid());
            let stat = fs::read_to_string(&path)?;
            ensure!(stat.contains(") Z "), "{stat}");
            Ok(())
        })?;
        let last = Waited::of(process)?;
        ensure!(last.runs > 0, "{last:?}");
        truth = truth.plus(last);
    }
    // Their second threads have ended and are freed soon: only the agent knows what these had waited.
    let shown = || -> Result<Waited> {
        product.settle()?;
        let page = product.agent.metrics()?;
        let label = format!("container_id=\"{}\"", pod.container.id);
        let shown = |name| sample(&page, name, &[&label]);
        Ok(Waited {
            ns: (shown("container_cpu_schedstat_runqueue_seconds_total")? * 1e9).round() as u64,
            runs: shown("container_cpu_schedstat_run_periods_total")? as u64,
        })
    };
    let seen = eventually(PATIENCE, "their second threads", || {
        let seen = shown()?;
        ensure!(seen == shown()?, "{seen:?} grows");
        let least = truth.runs + PROCESSES as u64;
        ensure!(seen.runs >= least && seen.ns > truth.ns, "{seen:?}");
        Ok(seen)
    })?;
    for process in &mut young {
        process.finish(PATIENCE)?;
    }
    let now = shown()?;
    ensure!(
        now == seen,
        "{seen:?} became {now:?} when processes were waited for"
    );
    Ok(())
}

/// Processes with a single thread that live between two readings, if at all: exact, too.
pub fn short_lives_are_counted_whole() -> Result<()> {
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let pod = Pod::new(&net, &root)?;
    let product = watch(&root)?;
    let mut truth = Waited::default();
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        // They burn the processor themselves, with no thread beside.
        let mut processes = Vec::new();
        for _ in 0..PROCESSES {
            let command = load(["consume", "--memory", "4096", "--cpu-ms", "15"])?;
            processes.push(pod.spawn("insight-load consume", command)?);
        }
        for process in &mut processes {
            process.line(PATIENCE)?;
            process.close_stdin();
            seen.insert(process.pid());
        }
        for process in &mut processes {
            eventually(PATIENCE, "the end of a process", || {
                let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid()))?;
                ensure!(stat.contains(") Z "), "{stat}");
                Ok(())
            })?;
            truth = truth.plus(Waited::of(process)?);
            process.finish(PATIENCE)?;
        }
    }
    ensure!(truth.ns > 0 && seen.len() == 3 * PROCESSES, "{truth:?}");
    expect(&product, &pod, &pod.container, truth)
}

/// Without the flag nobody is shown anything, and nothing runs.
pub fn nothing_without_the_flag() -> Result<()> {
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let pod = Pod::new(&net, &root)?;
    let product = Product::watch(&root, "300ms")?;
    let _process = competing(&pod, 1)?;
    product.settle()?;
    let page = product.agent.metrics()?;
    ensure!(!page.contains("schedstat"), "{page}");
    ensure!(page.contains("container_cpu_usage_seconds_total"), "{page}");
    ensure!(!page.contains("probe=\"waits\"") && !page.contains("probe=\"ends\""));
    Ok(())
}
