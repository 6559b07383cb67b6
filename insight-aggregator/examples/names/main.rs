//! Measures the index of a large cluster and the graph of all its pods' connections: `names PODS CALLS` prints what it took as JSON. `cargo xtask
//! bench --only names` runs it and shows it beside the budgets.

mod cluster;
mod flows;
mod past;

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use insight_aggregator::graph::{self, Part, Query, Range};
use insight_aggregator::kubernetes::Index;
use insight_aggregator::model::Level;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [pods, calls] = args.as_slice() else {
        anyhow::bail!("names PODS CALLS");
    };
    let pods: u64 = pods.parse().context("how many pods?")?;
    let calls: u64 = calls.parse().context("how many pods does each call?")?;
    ensure!(
        pods >= cluster::REPLICAS * (calls + 1),
        "{calls} calls to other Deployments need {} pods",
        cluster::REPLICAS * (calls + 1)
    );
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

    let window = flows::window(pods, calls);
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
        let used = cpu_used();
        let graph = graph::build(&window, &query, &index)?;
        let used = cpu_used().saturating_sub(used);
        Ok((used.as_secs_f64(), black_box(graph).edges.len()))
    };
    let (join, edges) = ask(Level::Workload)?;
    let resident = resident()?;
    let (all, pairs) = ask(Level::Pod)?;
    ensure!(pairs as u64 == pods * calls, "{pairs} edges");
    ensure!(edges < pairs, "{edges} edges between workloads");
    let records = window.rows.len();
    drop(window);
    let past = past::measure(index)?;
    let told = json!({
        "index_bytes": index_bytes,
        "objects": objects,
        "put_seconds": put.as_secs_f64(),
        "change_seconds": change.as_secs_f64(),
        "records": records,
        "join_seconds": join,
        "pods_seconds": all,
        "resident": resident,
        "snapshot_bytes": past.snapshot_bytes,
        "rebuild_seconds": past.rebuild.as_secs_f64(),
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

/// CPU time of this process.
fn cpu_used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    // Neither is negative.
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
