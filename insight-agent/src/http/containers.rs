//! `container_*` with cAdvisor's names and formulas, so that dashboards work.
//!
//! Labels: `id` (the cgroup's path), `container_id`, `pod_uid`, `unit`; blank where there is none. The agent does not
//! know names of pods and namespaces; the aggregator does.

use std::fmt;

use insight_proto::v1::MetricSample;

use super::page::Kind::{self, Counter, Gauge};
use super::page::{Label, Page, Value};
use crate::cgroups::Sample;

struct Family {
    kind: Kind,
    name: &'static str,
    help: &'static str,
    /// cAdvisor marks the sum over all processors.
    per_cpu: bool,
    value: fn(&MetricSample) -> Option<Value>,
}

const fn family(
    kind: Kind,
    name: &'static str,
    help: &'static str,
    value: fn(&MetricSample) -> Option<Value>,
) -> Family {
    Family {
        kind,
        name,
        help,
        per_cpu: false,
        value,
    }
}

const FAMILIES: [Family; 14] = [
    Family {
        per_cpu: true,
        ..family(
            Counter,
            "container_cpu_usage_seconds",
            "CPU time used",
            |m| seconds(m.cpu_usage_ns),
        )
    },
    family(
        Counter,
        "container_cpu_user_seconds",
        "CPU time used in user mode",
        |m| seconds(m.cpu_user_ns),
    ),
    family(
        Counter,
        "container_cpu_system_seconds",
        "CPU time used in the kernel",
        |m| seconds(m.cpu_system_ns),
    ),
    family(
        Counter,
        "container_cpu_cfs_periods",
        "Periods with a CPU quota",
        |m| whole(m.cfs_periods),
    ),
    family(
        Counter,
        "container_cpu_cfs_throttled_periods",
        "Periods in which the quota was used up",
        |m| whole(m.cfs_throttled_periods),
    ),
    family(
        Counter,
        "container_cpu_cfs_throttled_seconds",
        "Time spent waiting for the next period",
        |m| seconds(m.cfs_throttled_ns),
    ),
    family(
        Counter,
        "container_cpu_schedstat_runqueue_seconds",
        "Time that its threads waited for a CPU while they could have run",
        |m| seconds(m.run_delay_ns),
    ),
    family(
        Counter,
        "container_cpu_schedstat_run_periods",
        "Times that its threads got a CPU",
        |m| whole(m.runs),
    ),
    family(
        Gauge,
        "container_memory_usage_bytes",
        "Memory in use, file cache included",
        |m| whole(m.memory_usage_bytes),
    ),
    family(
        Gauge,
        "container_memory_working_set_bytes",
        "Memory in use less inactive file cache",
        |m| whole(m.memory_working_set_bytes),
    ),
    family(
        Gauge,
        "container_memory_rss",
        "Anonymous memory, bytes",
        |m| whole(m.memory_rss_bytes),
    ),
    family(Gauge, "container_memory_cache", "File cache, bytes", |m| {
        whole(m.memory_cache_bytes)
    }),
    // cAdvisor's way of saying unlimited is 0.
    family(
        Gauge,
        "container_spec_memory_limit_bytes",
        "Memory limit, 0 for none",
        |m| {
            m.memory_usage_bytes?;
            whole(Some(m.memory_limit_bytes.unwrap_or(0)))
        },
    ),
    family(
        Counter,
        "container_oom_events",
        "Processes killed for want of memory",
        |m| whole(m.oom_kills),
    ),
];

pub(super) fn write(page: &mut Page<'_>, samples: &[Sample]) -> fmt::Result {
    for family in &FAMILIES {
        let rows = samples.iter().filter_map(|sample| {
            let value = (family.value)(&sample.metrics)?;
            Some((labels(sample, family.per_cpu), value))
        });
        page.family(family.kind, family.name, family.help, rows)?;
    }
    Ok(())
}

fn labels(sample: &Sample, per_cpu: bool) -> Vec<Label> {
    let owner = &sample.owner;
    let mut labels = vec![
        ("id", owner.path.clone()),
        ("container_id", owner.container_id.clone()),
        ("pod_uid", owner.pod_uid.clone()),
        ("unit", owner.unit.clone()),
    ];
    if per_cpu {
        labels.push(("cpu", "total".to_owned()));
    }
    labels
}

fn whole(value: Option<u64>) -> Option<Value> {
    value.map(Value::Whole)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric's value is a double; 104 days of CPU time are exact to the ns"
)]
fn seconds(nanoseconds: Option<u64>) -> Option<Value> {
    nanoseconds.map(|ns| Value::Real(ns as f64 / 1e9))
}
