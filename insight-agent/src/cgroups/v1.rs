//! CPU and memory from cgroup v1 files, for hosts whose controllers are there: the directory of the same path below
//! each controller's mount.

use insight_proto::v1::MetricSample;

use super::flat::{Files, memory_limit, millicores, number, pick};
use super::mount::V1;
use super::walk::directory;

/// Nanoseconds in one USER_HZ tick, the unit of `cpuacct.stat`: 100 a second on every architecture that Linux's eBPF
/// runs on.
const TICK_NS: u64 = 10_000_000;

/// Fills what `sample` does not have yet from the v1 cgroups at `path`.
pub(super) fn fill(files: &mut Files, v1: &V1, path: &str, sample: &mut MetricSample) {
    if let Some(mount) = &v1.cpuacct
        // v2 counts time in every cgroup. Zero there means that no process ever was in it, so this is better.
        && sample.cpu_usage_ns.is_none_or(|usage| usage == 0)
    {
        let directory = directory(mount, path);
        if let Some(usage) = files.read(&directory, "cpuacct.usage").and_then(number) {
            sample.cpu_usage_ns = Some(usage);
            let text = files.read(&directory, "cpuacct.stat").unwrap_or("");
            let [user, system] = pick(text, ["user", "system"]);
            sample.cpu_user_ns = user.and_then(nanoseconds);
            sample.cpu_system_ns = system.and_then(nanoseconds);
        }
    }
    if let Some(mount) = &v1.cpu
        && sample.cpu_limit_millicores.is_none()
        && sample.cfs_periods.is_none()
    {
        let directory = directory(mount, path);
        // -1, which is not a number here, is unlimited.
        let quota = files.read(&directory, "cpu.cfs_quota_us").and_then(number);
        let period = files.read(&directory, "cpu.cfs_period_us").and_then(number);
        sample.cpu_limit_millicores = quota.zip(period).and_then(|(q, p)| millicores(q, p));
        if let Some(text) = files.read(&directory, "cpu.stat") {
            throttling(text, sample);
        }
    }
    if let Some(mount) = &v1.memory
        && sample.memory_usage_bytes.is_none()
    {
        let directory = directory(mount, path);
        let Some(usage) = files
            .read(&directory, "memory.usage_in_bytes")
            .and_then(number)
        else {
            return;
        };
        sample.memory_usage_bytes = Some(usage);
        if let Some(text) = files.read(&directory, "memory.stat") {
            memory_stat(text, usage, sample);
        }
        sample.memory_limit_bytes = files
            .read(&directory, "memory.limit_in_bytes")
            .and_then(number)
            .and_then(memory_limit);
        if let Some(text) = files.read(&directory, "memory.oom_control") {
            // Since Linux 4.13.
            [sample.oom_kills] = pick(text, ["oom_kill"]);
        }
    }
}

fn nanoseconds(ticks: u64) -> Option<u64> {
    ticks.checked_mul(TICK_NS)
}

fn throttling(text: &str, sample: &mut MetricSample) {
    let [periods, throttled, time] = pick(text, ["nr_periods", "nr_throttled", "throttled_time"]);
    if sample.cpu_limit_millicores.is_some() || periods.is_some_and(|n| n > 0) {
        sample.cfs_periods = periods;
        sample.cfs_throttled_periods = throttled;
        sample.cfs_throttled_ns = time;
    }
}

fn memory_stat(text: &str, usage: u64, sample: &mut MetricSample) {
    let keys = ["total_rss", "total_cache", "total_inactive_file"];
    let [rss, cache, inactive] = pick(text, keys);
    sample.memory_rss_bytes = rss;
    sample.memory_cache_bytes = cache;
    sample.memory_working_set_bytes = inactive.map(|inactive| usage.saturating_sub(inactive));
}

#[cfg(test)]
#[path = "v1_tests.rs"]
mod tests;
