//! CPU and memory at the graph's level.

use std::collections::HashMap;

use insight_proto::v1;

use super::ends::{End, Ends};
use crate::graph::query::time::to_proto;
use crate::model::{EntityId, Level, Metrics, Window};

/// The sample of every end that has one.
///
/// What the kernel counted for the whole is preferred: a pod's own cgroup, which also holds what its containers left
/// behind, or a node's root cgroup. A pod without an own sample gets the sum of its containers', and what several pods are part of the sum of
/// theirs. A node without one gets none: cgroups nest, and to add them up would count twice.
pub(super) fn by_end<'w>(window: &'w Window, ends: &mut Ends<'w>) -> HashMap<End, v1::NodeMetrics> {
    let samples = match ends.level() {
        Level::Container => each(window, ends),
        Level::Node | Level::Zone => of_hosts(window, ends),
        _ => of_pods(window, ends),
    };
    samples
        .into_iter()
        .map(|(end, sample)| (end, told(&sample)))
        .collect()
}

fn each<'w>(window: &'w Window, ends: &mut Ends<'w>) -> HashMap<End, Metrics> {
    let samples = window.metrics.iter();
    samples
        .map(|(id, sample)| (ends.entity(id), *sample))
        .collect()
}

fn of_hosts<'w>(window: &'w Window, ends: &mut Ends<'w>) -> HashMap<End, Metrics> {
    let mut samples = HashMap::new();
    for (id, sample) in &window.metrics {
        let node = window.entities.get(id).map(|entity| &*entity.node);
        if node.is_some_and(|node| **id == *format!("cgroup:{node}/")) {
            add(&mut samples, ends.entity(id), sample);
        }
    }
    samples
}

fn of_pods<'w>(window: &'w Window, ends: &mut Ends<'w>) -> HashMap<End, Metrics> {
    let mut whole: HashMap<&EntityId, (End, Metrics)> = HashMap::new();
    let mut parts: HashMap<&EntityId, (End, Metrics)> = HashMap::new();
    for (id, sample) in &window.metrics {
        let pod = window.entities.get(id).map_or(id, |entity| &entity.pod);
        let end = ends.entity(id);
        if id == pod {
            whole.insert(pod, (end, *sample));
        } else {
            parts
                .entry(pod)
                .and_modify(|(_, sum)| *sum = added(sum, sample))
                .or_insert((end, *sample));
        }
    }
    parts.extend(whole);
    let mut samples = HashMap::new();
    for (end, sample) in parts.values() {
        // What is in no namespace is its node there, and to add up a node's cgroups would count twice.
        if !ends.is_host(*end) {
            add(&mut samples, *end, sample);
        }
    }
    samples
}

fn add(samples: &mut HashMap<End, Metrics>, end: End, sample: &Metrics) {
    samples
        .entry(end)
        .and_modify(|sum| *sum = added(sum, sample))
        .or_insert(*sample);
}

/// Two containers together. A limit holds for both only if both have one.
fn added(a: &Metrics, b: &Metrics) -> Metrics {
    let any = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (one, other) => one.or(other),
    };
    let both = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
    Metrics {
        at: a.at.max(b.at),
        cpu_usage_ns: any(a.cpu_usage_ns, b.cpu_usage_ns),
        cpu_user_ns: any(a.cpu_user_ns, b.cpu_user_ns),
        cpu_system_ns: any(a.cpu_system_ns, b.cpu_system_ns),
        cfs_periods: any(a.cfs_periods, b.cfs_periods),
        cfs_throttled_periods: any(a.cfs_throttled_periods, b.cfs_throttled_periods),
        cfs_throttled_ns: any(a.cfs_throttled_ns, b.cfs_throttled_ns),
        cpu_limit_millicores: both(a.cpu_limit_millicores, b.cpu_limit_millicores),
        memory_usage_bytes: any(a.memory_usage_bytes, b.memory_usage_bytes),
        memory_working_set_bytes: any(a.memory_working_set_bytes, b.memory_working_set_bytes),
        memory_rss_bytes: any(a.memory_rss_bytes, b.memory_rss_bytes),
        memory_cache_bytes: any(a.memory_cache_bytes, b.memory_cache_bytes),
        memory_limit_bytes: both(a.memory_limit_bytes, b.memory_limit_bytes),
        oom_kills: any(a.oom_kills, b.oom_kills),
        run_delay_ns: any(a.run_delay_ns, b.run_delay_ns),
        runs: any(a.runs, b.runs),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a double holds 104 days of nanoseconds exactly, and longer ones to the microsecond"
)]
fn told(sample: &Metrics) -> v1::NodeMetrics {
    let seconds = |ns: u64| ns as f64 / 1e9;
    v1::NodeMetrics {
        at: Some(to_proto(sample.at)),
        cpu_usage_seconds_total: sample.cpu_usage_ns.map(seconds),
        cpu_limit_cores: sample.cpu_limit_millicores.map(|limit| limit as f64 / 1e3),
        cpu_throttled_seconds_total: sample.cfs_throttled_ns.map(seconds),
        memory_working_set_bytes: sample.memory_working_set_bytes,
        memory_limit_bytes: sample.memory_limit_bytes,
        oom_kills_total: sample.oom_kills,
        cpu_run_delay_seconds_total: sample.run_delay_ns.map(seconds),
        cpu_runs_total: sample.runs,
    }
}
