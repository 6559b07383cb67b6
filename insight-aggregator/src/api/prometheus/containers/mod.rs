//! CPU and memory of containers, pods and units, under the names and labels that cAdvisor uses.

mod labels;

use std::collections::HashSet;

use self::labels::{Labels, labels};
use super::text::{Kind, Text};
use crate::kubernetes::Index;
use crate::model::{EntityId, Metrics, UnixMs, Window};

/// One sample with its labels.
struct Labelled<'a> {
    labels: Labels<'a>,
    metrics: &'a Metrics,
}

/// One family: name, kind, help and how its value is read, in seconds or bytes.
type Family = (
    &'static str,
    Kind,
    &'static str,
    fn(&Metrics) -> Option<Value>,
);

enum Value {
    Whole(u64),
    Nanoseconds(u64),
}

const FAMILIES: [Family; 14] = [
    (
        "container_cpu_usage_seconds_total",
        Kind::Counter,
        "CPU time used, seconds.",
        |m| m.cpu_usage_ns.map(Value::Nanoseconds),
    ),
    (
        "container_cpu_user_seconds_total",
        Kind::Counter,
        "CPU time used in user space, seconds.",
        |m| m.cpu_user_ns.map(Value::Nanoseconds),
    ),
    (
        "container_cpu_system_seconds_total",
        Kind::Counter,
        "CPU time used in the kernel, seconds.",
        |m| m.cpu_system_ns.map(Value::Nanoseconds),
    ),
    (
        "container_cpu_cfs_periods_total",
        Kind::Counter,
        "CFS bandwidth periods that passed.",
        |m| m.cfs_periods.map(Value::Whole),
    ),
    (
        "container_cpu_cfs_throttled_periods_total",
        Kind::Counter,
        "CFS periods in which it was throttled.",
        |m| m.cfs_throttled_periods.map(Value::Whole),
    ),
    (
        "container_cpu_cfs_throttled_seconds_total",
        Kind::Counter,
        "Time throttled, seconds.",
        |m| m.cfs_throttled_ns.map(Value::Nanoseconds),
    ),
    (
        "container_cpu_schedstat_runqueue_seconds_total",
        Kind::Counter,
        "Time that threads waited for a CPU while they could have run, seconds.",
        |m| m.run_delay_ns.map(Value::Nanoseconds),
    ),
    (
        "container_cpu_schedstat_run_periods_total",
        Kind::Counter,
        "Times that threads got a CPU.",
        |m| m.runs.map(Value::Whole),
    ),
    (
        "container_memory_usage_bytes",
        Kind::Gauge,
        "Memory in use, bytes.",
        |m| m.memory_usage_bytes.map(Value::Whole),
    ),
    (
        "container_memory_working_set_bytes",
        Kind::Gauge,
        "Memory in use less inactive file cache, bytes.",
        |m| m.memory_working_set_bytes.map(Value::Whole),
    ),
    (
        "container_memory_rss",
        Kind::Gauge,
        "Anonymous memory, bytes.",
        |m| m.memory_rss_bytes.map(Value::Whole),
    ),
    (
        "container_memory_cache",
        Kind::Gauge,
        "File cache, bytes.",
        |m| m.memory_cache_bytes.map(Value::Whole),
    ),
    (
        "container_spec_memory_limit_bytes",
        Kind::Gauge,
        "Memory limit, bytes; 0 when unlimited.",
        |m| {
            // Only where memory is read at all: no limit is then known to be "unlimited".
            m.memory_usage_bytes?;
            Some(Value::Whole(m.memory_limit_bytes.unwrap_or(0)))
        },
    ),
    (
        "container_oom_events_total",
        Kind::Counter,
        "Processes killed by the OOM killer.",
        |m| m.oom_kills.map(Value::Whole),
    ),
];

/// Writes the samples of `window` that are not older than `since`, with the names that `index` knows.
pub(super) fn write(window: &Window, since: UnixMs, index: &Index, text: &mut Text) {
    let mut samples: Vec<(&EntityId, &Metrics)> = window
        .metrics
        .iter()
        .filter(|(_, metrics)| metrics.at >= since)
        .collect();
    // Newest first, so that of two with the same labels the newer stays.
    samples.sort_unstable_by_key(|(id, metrics)| (-metrics.at, *id));
    let mut seen = HashSet::new();
    let labelled: Vec<Labelled> = samples
        .into_iter()
        .filter_map(|(id, metrics)| {
            let labels = labels(window.entities.get(id)?, index);
            seen.insert(labels).then_some(Labelled { labels, metrics })
        })
        .collect();
    for (name, kind, help, read) in FAMILIES {
        text.family(name, kind, help);
        let cpu = Some(("cpu", "total")).filter(|_| name == "container_cpu_usage_seconds_total");
        for sample in &labelled {
            let labels = sample.labels.into_iter().chain(cpu);
            match read(sample.metrics) {
                Some(Value::Whole(value)) => text.sample(labels, value),
                Some(Value::Nanoseconds(value)) => text.sample(labels, value as f64 / 1e9),
                None => {}
            }
        }
    }
    let limits: Vec<(Labels, u64)> = labelled
        .iter()
        .filter_map(|sample| Some((sample.labels, sample.metrics.cpu_limit_millicores?)))
        .collect();
    let mut family = |name, help, read: fn(u64) -> f64| {
        text.family(name, Kind::Gauge, help);
        for (labels, millicores) in &limits {
            text.sample(*labels, read(*millicores));
        }
    };
    family(
        "container_cpu_limit_cores",
        "CPU limit, cores; absent when unlimited.",
        |millicores| millicores as f64 / 1e3,
    );
    // Of a limit only the ratio is known, which is what dashboards make of the two.
    family(
        "container_spec_cpu_quota",
        "CPU limit: microseconds in each container_spec_cpu_period; absent when unlimited.",
        |millicores| millicores as f64 * CPU_PERIOD / 1e3,
    );
    family(
        "container_spec_cpu_period",
        "Microseconds that container_spec_cpu_quota is of.",
        |_| CPU_PERIOD,
    );
}

/// The kernel's default period of CPU bandwidth, microseconds.
const CPU_PERIOD: f64 = 100_000.0;
