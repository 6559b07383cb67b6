//! Names: the index of a large cluster, and the graph of all its pods' connections.
//!
//! Measured inside a process of its own, because memory that a measurement before it gave back would hide what this one takes.

mod cluster;
mod flows;

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use insight_aggregator::graph::{self, Part, Query, Range};
use insight_aggregator::kubernetes::Index;
use insight_aggregator::model::Level;
use serde_json::{Value, json};

use super::row::{Budget, Row};
use super::scale::Scale;
use super::{cpu, progress};

/// What the worker is called by.
const WORKER: &str = "names-worker";

const MIB: f64 = 1_048_576.0;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let program = std::env::current_exe()?;
    progress(format!(
        "{} pods, {} edges between pods",
        scale.pods,
        scale.pods * cluster::CALLS
    ));
    let out = Command::new(program)
        .args([WORKER, &scale.pods.to_string()])
        .output()?;
    ensure!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let told: Value = serde_json::from_slice(&out.stdout)?;
    let number = |name: &str| told[name].as_f64().with_context(|| format!("no {name}"));
    let pods = scale.pods as f64;
    Ok(vec![
        Row::new(
            format!(
                "index of {} pods: memory of a pod, all else included",
                scale.pods
            ),
            number("index_bytes")? / pods,
            "bytes",
        )
        .digits(0)
        .budget(Budget::AtMost(2048.0)),
        Row::new(
            "  objects taken in per core-second",
            number("objects")? / number("put_seconds")?,
            "objects/core-s",
        )
        .digits(0),
        Row::new(
            "  pods changed per core-second",
            pods / number("change_seconds")?,
            "pods/core-s",
        )
        .digits(0),
        Row::new(
            format!(
                "join: records per core-second ({} of them)",
                number("records")?
            ),
            number("records")? / number("join_seconds")?,
            "records/core-s",
        )
        .digits(0)
        .budget(Budget::AtLeast(1e6)),
        Row::new(
            "  at pod level, with every edge as readers get it",
            number("records")? / number("pods_seconds")?,
            "records/core-s",
        )
        .digits(0),
        Row::new(
            "  index, window and workload graph in memory",
            number("resident")? / MIB,
            "MiB",
        )
        .digits(0)
        .budget(Budget::Below(1536.0)),
    ])
}

/// Does the measuring if this process was started for it.
pub(super) fn work(worker: &str, rest: &[String]) -> Option<Result<()>> {
    (worker == WORKER).then(|| measure(rest))
}

fn measure(args: &[String]) -> Result<()> {
    let pods: u64 = args.first().context("how many pods?")?.parse()?;
    let before = resident()?;
    let mut index = Index::default();
    let (mut objects, mut put) = (0_u64, Duration::ZERO);
    for object in cluster::objects(pods) {
        let start = Instant::now();
        let object = cluster::interned(object, index.texts());
        index.put(object, flows::NOW);
        put += start.elapsed();
        objects += 1;
    }
    let index_bytes = resident()?.saturating_sub(before);
    let mut change = Duration::ZERO;
    for pod in cluster::changed(pods) {
        let start = Instant::now();
        let pod = cluster::interned(pod, index.texts());
        index.put(pod, flows::NOW + 1);
        change += start.elapsed();
    }

    let window = flows::window(pods);
    let pid = std::process::id();
    let ask = |level| -> Result<(f64, usize)> {
        let query = Query {
            range: Range {
                from: window.from,
                to: window.to,
            },
            part: Part {
                level,
                ..Part::default()
            },
        };
        let used = cpu::used(pid)?;
        let graph = graph::build(&window, &query, &index)?;
        let used = cpu::used(pid)?.saturating_sub(used);
        Ok((used.as_secs_f64(), black_box(graph).edges.len()))
    };
    let (join, edges) = ask(Level::Workload)?;
    let resident = resident()?;
    let (all, pairs) = ask(Level::Pod)?;
    ensure!(pairs as u64 == pods * cluster::CALLS, "{pairs} edges");
    ensure!(edges < pairs, "{edges} edges between workloads");
    let told = json!({
        "index_bytes": index_bytes,
        "objects": objects,
        "put_seconds": put.as_secs_f64(),
        "change_seconds": change.as_secs_f64(),
        "records": window.rows.len(),
        "join_seconds": join,
        "pods_seconds": all,
        "resident": resident,
    });
    println!("{told}");
    Ok(())
}

/// Resident memory of this process, bytes.
fn resident() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.context("no VmRSS")?.parse::<u64>()? * 1024)
}
